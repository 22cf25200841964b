package poller

import "encoding/json"

// XMLSettings is how XML becomes JSON.
type XMLSettings struct {
	// Elements that become lists however many of them there are, by their
	// paths from the root: Envelope.Orders.Order. Of equal elements that
	// are not named here the first stands under its name, the others in a
	// list under the name and a "+".
	Lists []string `yaml:"lists" json:"lists,omitempty"`
	// Prefixes that names get, and the URIs of their namespaces. Names of
	// other namespaces have none.
	Namespaces map[string]string `yaml:"namespaces" json:"namespaces,omitempty"`
}

// CSVSettings is how a CSV table is read.
type CSVSettings struct {
	// What parts the fields: one character, a tab is "\t". Default: a comma.
	Delimiter string `yaml:"delimiter" json:"delimiter,omitempty"`
	// Names of the columns, for a table without a line of names. Default: the first line.
	Header []string `yaml:"header" json:"header,omitempty"`
	// A character; lines that start with it are passed over. Default: none.
	Comment string `yaml:"comment" json:"comment,omitempty"`
}

// HTMLSettings is what of an HTML page is read.
type HTMLSettings struct {
	// CSS selector of the rows. Each becomes an object in a list. Absent:
	// the page is one object.
	Rows string `yaml:"rows" json:"rows,omitempty"`
	// CSS selector of what is on the page where it truly has no rows.
	// Without it a page without rows is a failed poll.
	Empty string `yaml:"empty" json:"empty,omitempty"`
	// Fields of an object: CSS selectors within the row, of the first
	// element whose text is meant, or with @NAME at the end the attribute
	// of that name. "." is the row itself.
	Fields map[string]string `yaml:"fields" json:"fields,omitempty"`
}

// Decoding is a fingerprint of how an answer becomes JSON: where it changes,
// the same answer may look otherwise. "" where nothing is set.
func (s ResponseSettings) Decoding() string {
	if s.Format == "auto" {
		s.Format = ""
	}
	text, _ := json.Marshal(struct {
		Format  string       `json:"format,omitempty"`
		Charset string       `json:"charset,omitempty"`
		XML     XMLSettings  `json:"xml,omitzero"`
		CSV     CSVSettings  `json:"csv,omitzero"`
		HTML    HTMLSettings `json:"html,omitzero"`
	}{s.Format, s.Charset, s.XML, s.CSV, s.HTML})
	if string(text) == "{}" {
		return ""
	}
	return string(text)
}
