package canon

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unquote gives the text of a JSON string. raw must have passed Valid. A lone
// surrogate stays the escape that it was, for no text can hold it.
func unquote(raw []byte) []byte {
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	return unescape(nil, text)
}

// Quote appends text to dst as a JSON string with the fewest escapes.
func Quote(dst []byte, text string) []byte { return appendString(dst, []byte(text)) }

func hex(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10
	}
	return -1
}

func hex4(b []byte) rune {
	return rune(hex(b[0])<<12 | hex(b[1])<<8 | hex(b[2])<<4 | hex(b[3]))
}

// unescape appends the text of the inside of a string to dst.
func unescape(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			dst = append(dst, text[i])
			continue
		}
		i++
		switch text[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, n := escapedRune(text[i+1:])
			if r == utf8.RuneError && n == 4 && hex4(text[i+1:]) != utf8.RuneError {
				dst = append(append(dst, '\\', 'u'), bytes.ToLower(text[i+1:i+5])...)
			} else {
				dst = utf8.AppendRune(dst, r)
			}
			i += n
		default:
			dst = append(dst, text[i])
		}
	}
	return dst
}

// escapedRune reads what follows \u: four digits, or ten where a surrogate
// pair follows. A lone surrogate is RuneError.
func escapedRune(b []byte) (rune, int) {
	r := hex4(b)
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(b) >= 10 && b[4] == '\\' && b[5] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(b[6:])); pair != utf8.RuneError {
			return pair, 10
		}
	}
	return utf8.RuneError, 4
}

func appendString(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, b := range text {
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', digits[b>>4], digits[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}

// plain is how many zeros a number is written with before it gets an exponent.
const plain = 20

// Number appends the canonical form of a JSON number to dst: no sign on zero,
// no leading or trailing zeros, every digit kept. An exponent that no machine
// could mean (more than nine digits) leaves the number as it was spelled.
func Number(dst, lit []byte) []byte {
	negative := lit[0] == '-'
	mantissa, exponent := lit, 0
	if negative {
		mantissa = lit[1:]
	}
	if i := bytes.IndexAny(mantissa, "eE"); i >= 0 {
		e, err := strconv.Atoi(string(bytes.TrimPrefix(mantissa[i+1:], []byte("+"))))
		if err != nil || e > 999_999_999 || e < -999_999_999 {
			return append(dst, lit...)
		}
		mantissa, exponent = mantissa[:i], e
	}
	var room [64]byte
	digits := room[:0]
	if whole, frac, ok := bytes.Cut(mantissa, []byte(".")); ok {
		digits = append(append(digits, whole...), frac...)
		exponent -= len(frac)
	} else {
		digits = append(digits, mantissa...)
	}
	digits = bytes.TrimLeft(digits, "0")
	exponent += len(digits)
	digits = bytes.TrimRight(digits, "0")
	exponent -= len(digits)
	if len(digits) == 0 {
		return append(dst, '0')
	}
	if negative {
		dst = append(dst, '-')
	}
	return appendDecimal(dst, digits, exponent)
}

// appendDecimal writes digits · 10^exponent; digits has no zeros at its ends.
func appendDecimal(dst, digits []byte, exponent int) []byte {
	point := len(digits) + exponent // digits before the decimal point
	switch {
	case exponent >= 0 && exponent <= plain:
		dst = append(dst, digits...)
		return append(dst, bytes.Repeat([]byte("0"), exponent)...)
	case exponent < 0 && point > 0:
		dst = append(dst, digits[:point]...)
		return append(append(dst, '.'), digits[point:]...)
	case exponent < 0 && -point <= plain:
		dst = append(dst, '0', '.')
		dst = append(dst, bytes.Repeat([]byte("0"), -point)...)
		return append(dst, digits...)
	}
	dst = append(append(dst, digits...), 'e')
	return strconv.AppendInt(dst, int64(exponent), 10)
}
