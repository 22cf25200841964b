package credential

import (
	"slices"
	"strings"
)

// User is who has credentials: a source or an endpoint, by its name.
type User struct{ Source, Endpoint string }

// Access is whether the refresh token of credentials is still taken.
type Access struct {
	Auth    string // name in auth; "": they stand where they are used
	Users   []User // who has them, the first of whom is always the same
	Setting string // where a new refresh token goes
	Expired bool   // a person must allow access again
}

// tellAccess tells how a refresh token fared.
func (c *Credential) tellAccess(in *shelf, expired bool) {
	in.mu.Lock()
	if len(c.books) == 0 {
		in.mu.Unlock()
		return // nobody has it any more
	}
	b := c.books[0]
	a := Access{Auth: c.name, Users: slices.Clone(b.users[c]), Expired: expired}
	in.mu.Unlock()
	at := "auth." + a.Auth
	if strings.HasPrefix(a.Auth, inline) {
		a.Auth, at = "", "auth"
		switch first := a.Users[0]; {
		case first.Source != "":
			at = "sources." + first.Source + ".request.auth"
		case first.Endpoint != "":
			at = "endpoints." + first.Endpoint + ".auth"
		}
	}
	a.Setting = at + ".oauth2.refresh_token"
	if expired {
		b.o.Logger.Error("auth expired", "auth", c.name, "advice", "the refresh token is no longer taken: allow access again, "+
			"put the new token into "+a.Setting+", and reload; until then whoever uses it rests")
	}
	if b.o.Access != nil {
		b.o.Access(a)
	}
}
