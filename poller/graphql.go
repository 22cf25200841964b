package poller

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
)

// GraphQLSettings is a GraphQL request over HTTP: a POST of the query and its
// variables as JSON.
type GraphQLSettings struct {
	// The query, sent as it is written.
	Query string `yaml:"query" json:"query,omitempty"`
	// Values of the query's variables; a leaf that is one whole
	// {{ expression }} keeps its type.
	Variables any `yaml:"variables" json:"variables,omitempty"`
}

func (s GraphQLSettings) given() bool { return s.Query != "" || s.Variables != nil }

// compile makes the body. The query takes no expressions: what is put into its
// text could change what it means, which a variable cannot.
func (s GraphQLSettings) compile(r fault.Report, env expr.Env) *expr.Tree {
	switch {
	case s.Query == "":
		r.At("query").Errorf("no query")
	case strings.Contains(s.Query, "{{"):
		r.At("query").Errorf("expressions go into variables: the query is sent as it is written")
	}
	tree := map[string]any{"query": s.Query}
	if s.Variables != nil {
		if _, ok := s.Variables.(map[string]any); !ok {
			r.At("variables").Errorf("a mapping was expected")
		}
		tree["variables"] = s.Variables
	}
	parsed, errs := expr.ParseTree(tree, env)
	for _, e := range errs {
		if e.Path[0] == "variables" {
			r.At(e.Path...).Errorf("%v", e.Err)
		}
	}
	if parsed == nil { // the faults are told; there was a body
		parsed = new(expr.Tree)
	}
	return parsed
}

// longestMessage is the length in bytes over which a server's message is left
// out. It is not cut here: the half of a secret is not known for one.
const longestMessage = 4 << 10

// graphQLErrors is a failure where the answer has errors (GraphQL
// specification, section 7.1): with status 200 they come beside no data, or
// beside half of it.
func graphQLErrors(body []byte) error {
	errs := gjson.GetBytes(body, "errors")
	if errs.Type == gjson.Null || errs.IsArray() && len(errs.Array()) == 0 {
		return nil
	}
	message := errs.Get("0.message").Str
	switch {
	case message == "":
		return Failf(ClassOK, "the answer has errors")
	case len(message) > longestMessage:
		return Failf(ClassOK, "the answer has errors, the first with a message of %d bytes", len(message))
	}
	return Failf(ClassOK, "the answer has errors: %s", strconv.Quote(message))
}
