package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"mime"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

// Declared says where, beside the Content-Type header, a body may name its
// charset.
type Declared int

// The kinds of body.
const (
	InHeader Declared = iota // nowhere else
	InXML                    // in the XML declaration
	InHTML                   // in a meta element; without one it is windows-1252 where it isn't UTF-8
	InJSON                   // nowhere, for JSON is UTF-8; the header is believed only where it isn't
)

// CheckCharset reports a name that is none of the WHATWG's Encoding Standard.
func CheckCharset(name string) error {
	if e, _ := charset.Lookup(name); e == nil {
		return fmt.Errorf("%q is not a charset such as utf-8, windows-1252 or shift_jis", name)
	}
	return nil
}

// Unmark removes a byte order mark. Where it is one of UTF-16 the body is
// brought to UTF-8. marked is whether there was one: then the body is UTF-8.
func Unmark(body []byte) (text []byte, marked bool, err error) {
	var order binary.ByteOrder = binary.LittleEndian
	endian := unicode.LittleEndian
	switch {
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		text = body[3:]
		return text, true, checkUTF8(text)
	case bytes.HasPrefix(body, []byte("\xfe\xff")):
		order, endian = binary.BigEndian, unicode.BigEndian
	case !bytes.HasPrefix(body, []byte("\xff\xfe")):
		return body, false, nil
	}
	if err := checkUTF16(body[2:], order); err != nil {
		return nil, true, err
	}
	text, err = unicode.UTF16(endian, unicode.IgnoreBOM).NewDecoder().Bytes(body[2:])
	return text, true, err
}

// checkUTF16 reports what would become U+FFFD, and a body that was cut.
func checkUTF16(body []byte, order binary.ByteOrder) error {
	if len(body)%2 != 0 {
		return errors.New("not UTF-16: it ends in half a character")
	}
	for i := 0; i < len(body); i += 2 {
		if !utf16.IsSurrogate(rune(order.Uint16(body[i:]))) {
			continue
		}
		if i+4 > len(body) || utf16.DecodeRune(rune(order.Uint16(body[i:])), rune(order.Uint16(body[i+2:]))) == utf8.RuneError {
			return fmt.Errorf("not UTF-16 at byte %d", i)
		}
		i += 2
	}
	return nil
}

// UTF8 brings a body without a byte order mark to UTF-8. The charset is name
// where that is not empty; else the one that the header contentType says,
// else what the body says, else UTF-8.
func UTF8(body []byte, name, contentType string, where Declared) ([]byte, error) {
	if name == "" {
		if where == InJSON && utf8.Valid(body) {
			return body, nil
		}
		name = declared(body, contentType, where)
	}
	e, known := charset.Lookup(name)
	switch {
	case name == "", known == "utf-8":
		return body, checkUTF8(body)
	case e == nil:
		if utf8.Valid(body) {
			return body, nil
		}
		return nil, fmt.Errorf("not UTF-8, and the charset %s is not known", quoted(name))
	}
	return convert(body, e, known)
}

// declared is the charset that a header or a body names; "": none.
func declared(body []byte, contentType string, where Declared) string {
	if _, params, err := mime.ParseMediaType(contentType); err == nil && params["charset"] != "" {
		return params["charset"]
	}
	switch where {
	case InXML:
		if m := xmlDeclaration.FindSubmatch(body[:min(len(body), 256)]); len(m) == 2 && !strings.HasPrefix(strings.ToLower(string(m[1])), "utf-16") {
			return string(m[1]) // one of UTF-16 could not have been read
		}
	case InHTML:
		_, name, _ := charset.DetermineEncoding(body, "")
		if name == "windows-1252" && utf8.Valid(body) {
			return "" // which is also what it says where it knows nothing
		}
		return name
	}
	return ""
}

var xmlDeclaration = regexp.MustCompile(`^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// convert brings a body from a charset that is not UTF-8.
func convert(body []byte, e encoding.Encoding, name string) ([]byte, error) {
	switch name {
	case "utf-16le":
		if err := checkUTF16(body, binary.LittleEndian); err != nil {
			return nil, err
		}
	case "utf-16be":
		if err := checkUTF16(body, binary.BigEndian); err != nil {
			return nil, err
		}
	}
	text, err := e.NewDecoder().Bytes(body)
	if err != nil {
		return nil, fmt.Errorf("not %s: %w", name, err)
	}
	// What isn't of the charset becomes U+FFFD, which the others of them
	// cannot write.
	if !strings.HasPrefix(name, "utf-16") && name != "gb18030" && bytes.ContainsRune(text, utf8.RuneError) {
		return nil, fmt.Errorf("not %s, though that is its charset", name)
	}
	return text, nil
}

func checkUTF8(body []byte) error {
	if utf8.Valid(body) {
		return nil
	}
	for i := 0; i < len(body); {
		if body[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && n == 1 {
			return fmt.Errorf("not UTF-8 at byte %d", i)
		}
		i += n
	}
	return nil
}
