package canon

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
)

// ReadNumber appends to dst the number that text is, as JSON and with every
// digit that text has: "112.1300" is 112.1300, "-5.39%" is -5.39, "1,234.5" is
// 1234.5 and "+3" is 3. decimal is the sign before the decimals, '.' or ','; the
// other one parts thousands, which must be groups of three. White space around
// it and a per cent sign at its end mean nothing. ok is false, and nothing is
// appended, where text is no number.
func ReadNumber(dst []byte, text string, decimal byte) (number []byte, ok bool) {
	text = strings.TrimSpace(text)
	text = strings.TrimSpace(strings.TrimSuffix(text, "%"))
	start := len(dst)
	for _, sign := range []string{"-", "\u2212", "+"} {
		if rest, found := strings.CutPrefix(text, sign); found {
			if text = rest; sign != "+" {
				dst = append(dst, '-')
			}
			break
		}
	}
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i:]
	}
	whole, fraction, hasFraction := strings.Cut(mantissa, string(decimal))
	whole, grouped := ungroup(whole, decimal)
	if !grouped || whole+fraction == "" || !digits(whole) || !digits(fraction) || !isExponent(exponent) {
		return dst[:start], false
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	dst = append(dst, whole...)
	if hasFraction && fraction != "" {
		dst = append(append(dst, '.'), fraction...)
	}
	return append(dst, exponent...), true
}

// ungroup takes the signs between thousands out of the digits before the
// decimals. A leading zero is none of a group: "0,123" is a fraction to
// whoever wrote it.
func ungroup(whole string, decimal byte) (string, bool) {
	groups := strings.Split(whole, string('.'+','-decimal))
	if len(groups) == 1 {
		return whole, true
	}
	if groups[0] == "" || len(groups[0]) > 3 || groups[0][0] == '0' {
		return "", false
	}
	for _, g := range groups[1:] {
		if len(g) != 3 {
			return "", false
		}
	}
	return strings.Join(groups, ""), true
}

// digits reports whether text has nothing else.
func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

func isExponent(text string) bool {
	if text == "" {
		return true
	}
	text = text[1:]
	if text != "" && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	return text != "" && digits(text)
}

// maxExact is how many digits a number may have, and how large its exponent
// may be, that Within reckons with.
const maxExact = 1000

// Within reports whether two JSON numbers are no further apart than tolerance,
// exactly. Numbers of more than 1,000 digits, and those that begin more than
// 1,000 places from the decimal point, are only within it where they are equal.
func Within(a, b []byte, tolerance *big.Rat) bool {
	var roomA, roomB [64]byte
	a, b = Number(roomA[:0], a), Number(roomB[:0], b)
	if bytes.Equal(a, b) {
		return true
	}
	x, okA := exact(a)
	y, okB := exact(b)
	if tolerance == nil || !okA || !okB {
		return false
	}
	apart := x.Sub(x, y)
	return apart.Abs(apart).Cmp(tolerance) <= 0
}

// exact is a canonical number, where it can be reckoned with.
func exact(number []byte) (*big.Rat, bool) {
	if len(number) > maxExact {
		return nil, false
	}
	if _, exponent, ok := strings.Cut(string(number), "e"); ok {
		e, err := strconv.Atoi(exponent)
		if err != nil || e > maxExact || e < -maxExact {
			return nil, false
		}
	}
	return new(big.Rat).SetString(string(number))
}
