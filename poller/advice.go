package poller

import (
	"regexp"
	"strings"
)

// Advice is what a person can do about it; "": nothing is known.
func (f *Failure) Advice() string { return adviceOn(f.Class, f.Err.Error()) }

// Advice is what a person can do about the last error; "": nothing is known, or
// there is none.
func (s *Status) Advice() string {
	return adviceOn(s.Class, strings.TrimPrefix(s.LastError, string(s.Class)+": "))
}

// toldStatus is the status that the text of a failure of ClassStatus begins
// with, also of one that was stored.
var toldStatus = regexp.MustCompile(`^(?:page \d+: )?(?:status )?(\d{3})\b( means empty)?`)

// adviceOn is what can be done about a failure with this text.
func adviceOn(c Class, text string) string {
	if c != ClassStatus {
		return advice[c]
	}
	m := toldStatus.FindStringSubmatch(text)
	switch {
	case m == nil:
		return advice[c]
	case m[2] != "":
		return advice[ClassPages]
	}
	switch code := m[1]; {
	case code == "401", code == "403":
		return "check the credentials, and what they may ask for"
	case code == "404", code == "410":
		return "check the URL; where it means that there is nothing, set response.status to {" + code + ": empty}"
	case code == "429":
		return "poll less, or set a limit; it is asked again after a wait"
	case code[0] == '5':
		return "wait: it is the API that fails, and it is asked again"
	case code[0] == '4':
		return "check request: the API does not take it as it is"
	}
	return advice[c]
}

// advice is what a person can do about a class of failure.
var advice = map[Class]string{
	ClassRequest:  "mend the expressions in request",
	ClassNetwork:  "check the host, the network and the certificate",
	ClassRefused:  "name the address in egress.sources.allow, if it is meant",
	ClassTimeout:  "raise request.timeout, if the API is only slow",
	ClassRedirect: "set request.url to where it leads",
	ClassAuth:     "check the credentials; where access has expired, allow it again and put the new refresh token into the configuration",
	ClassStatus:   "look at the answer with `deltahook poll`",
	ClassTooLarge: "raise request.max_body, or ask for less",
	ClassFormat:   "look at the answer with `deltahook poll`",
	ClassRequire:  "look at the answer with `deltahook poll`",
	ClassOK:       "look at the answer with `deltahook poll`",
	ClassItems:    "look at the answer with `deltahook poll`, and check items and id; of XML, name the list in response.xml.lists",
	ClassPages:    "look at the answer with `deltahook poll`, and check request.paginate",
	ClassLimit:    "raise the limit, or poll less",
	ClassStore:    "check the disk",
}
