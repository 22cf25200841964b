package decode

const hexDigits = "0123456789abcdef"

// appendText appends s as a JSON string with the fewest escapes. s is UTF-8.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		b := s[i]
		if b >= ' ' && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// object writes one JSON object, member by member.
type object struct {
	out  []byte
	from int
}

// open begins an object at the end of dst.
func open(dst []byte) object { return object{append(dst, '{'), len(dst) + 1} }

// name begins a member; its value is to be appended to out.
func (o *object) name(name string) {
	if len(o.out) > o.from {
		o.out = append(o.out, ',')
	}
	o.out = append(appendText(o.out, name), ':')
}

// text adds a member, unless it is empty.
func (o *object) text(name, value string) {
	if value != "" {
		o.name(name)
		o.out = appendText(o.out, value)
	}
}

func (o *object) close() []byte { return append(o.out, '}') }

// texts adds a member that is a list, unless it is empty.
func (o *object) texts(name string, values []string) {
	if len(values) == 0 {
		return
	}
	o.name(name)
	for i, v := range values {
		o.out = append(o.out, "[,"[min(i, 1)])
		o.out = appendText(o.out, v)
	}
	o.out = append(o.out, ']')
}
