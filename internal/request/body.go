package request

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/deltahook/deltahook/internal/expr"
)

// body makes a request's body; nil makes none.
type body interface {
	bytes(vars map[string]any) ([]byte, error)
	contentType() string // "" leaves it to the headers
	constant() bool
	uses(name string) bool // in an expression
}

// jsonBody is a JSON body.
type jsonBody struct{ *expr.Tree }

func (b jsonBody) bytes(vars map[string]any) ([]byte, error) { return b.JSON(vars) }
func (b jsonBody) uses(name string) bool                     { return b.Uses(name) }
func (jsonBody) contentType() string                         { return "application/json" }
func (jsonBody) constant() bool                              { return false }

// formBody is an application/x-www-form-urlencoded body.
type formBody []pair

func (b formBody) bytes(vars map[string]any) ([]byte, error) {
	form := url.Values{}
	for _, p := range b {
		v, err := p.text.String(vars)
		if err != nil {
			return nil, fmt.Errorf("form.%s: %w", p.name, err)
		}
		form.Set(p.name, v)
	}
	return []byte(form.Encode()), nil
}
func (b formBody) uses(name string) bool {
	return slices.ContainsFunc(b, func(p pair) bool { return p.text.Uses(name) })
}
func (formBody) contentType() string { return "application/x-www-form-urlencoded" }
func (b formBody) constant() bool {
	return !slices.ContainsFunc(b, func(p pair) bool { return !p.text.Constant() })
}

// rawBody is a body as it is.
type rawBody struct{ *expr.Text }

func (b rawBody) bytes(vars map[string]any) ([]byte, error) {
	v, err := b.String(vars)
	return []byte(v), err
}
func (b rawBody) uses(name string) bool { return b.Uses(name) }
func (rawBody) contentType() string     { return "" }
func (b rawBody) constant() bool        { return b.Constant() }
