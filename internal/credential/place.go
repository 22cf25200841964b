package credential

import "encoding/base64"

// authorization is the header that most credentials are sent in.
const authorization = "Authorization"

// Place is where a credential is sent.
type Place struct {
	Name   string // of a header, canonical, or of a query parameter
	Query  bool   // in the query; otherwise in a header
	Prefix string // of a header; "": none
}

// Value is a place and what is sent there.
type Value struct {
	Place
	Secret string
}

// Header is the whole value of a header.
func (v Value) Header() string {
	if v.Prefix == "" {
		return v.Secret
	}
	return v.Prefix + " " + v.Secret
}

// Basic is user and password as HTTP Basic has them.
func Basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}
