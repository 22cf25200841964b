package auth

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"
)

// OAuth2 is a client at a token endpoint (RFC 6749, sections 4.4 and 6). It is
// written here and not taken from golang.org/x/oauth2: that one shows the
// endpoint's whole answer in its errors, follows redirects with the
// credentials in the body, and hands a rotated refresh token out only after
// its first use.
type OAuth2 struct {
	ClientID     string
	ClientSecret string // "": a public client
	InBody       bool   // id and secret go in the form instead of as HTTP Basic
	Scopes       []string
	Params       map[string]string // further parameters of the form
}

// Request is the header and the body of the POST that asks for a token; by
// refresh token, or by the client's own credentials where that is "".
func (o OAuth2) Request(refresh string) (http.Header, []byte) {
	header := http.Header{
		"Accept":       {"application/json"},
		"Content-Type": {"application/x-www-form-urlencoded"},
	}
	form := url.Values{}
	for name, value := range o.Params {
		form.Set(name, value)
	}
	form.Set("grant_type", "client_credentials")
	if refresh != "" {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", refresh)
	}
	if len(o.Scopes) > 0 {
		form.Set("scope", strings.Join(o.Scopes, " "))
	}
	switch {
	case o.ClientSecret == "" && o.ClientID != "":
		form.Set("client_id", o.ClientID)
	case o.InBody:
		form.Set("client_id", o.ClientID)
		form.Set("client_secret", o.ClientSecret)
	case o.ClientID != "":
		header.Set("Authorization", "Basic "+o.Basic())
	}
	return header, []byte(form.Encode())
}

// Basic is id and secret as HTTP Basic has them: percent-encoded first (RFC
// 6749, section 2.3.1).
func (o OAuth2) Basic() string {
	pair := url.QueryEscape(o.ClientID) + ":" + url.QueryEscape(o.ClientSecret)
	return base64.StdEncoding.EncodeToString([]byte(pair))
}

// ReadGrant reads the answer of a token endpoint. Where it refuses, the error
// is an *Error; some do so with status 200.
func ReadGrant(status int, body []byte) (Grant, error) {
	valid := gjson.ValidBytes(body)
	answer := gjson.ParseBytes(body)
	if !valid || !answer.IsObject() {
		answer = gjson.Result{}
	}
	if code := answer.Get("error"); status < 200 || status > 299 || code.Type == gjson.String && code.Str != "" {
		return Grant{}, &Error{Status: status, Code: word(code.Str), Text: sentence(answer.Get("error_description").Str)}
	}
	if !answer.IsObject() {
		return Grant{}, errNoJSON
	}
	token, err := readToken(answer.Get("access_token"), "access_token")
	if err != nil {
		return Grant{}, err
	}
	g := Grant{Token: token, Lifetime: seconds(answer.Get("expires_in"))}
	if v := answer.Get("refresh_token"); v.Type == gjson.String && v.Str != "" {
		if g.Refresh, err = readToken(v, "refresh_token"); err != nil {
			return Grant{}, err
		}
	}
	return g, nil
}
