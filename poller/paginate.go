package poller

// PaginateSettings is how the pages after the first are asked for. One of
// link, next, cursor, last_id, page and offset says the kind; none: there is
// one page.
type PaginateSettings struct {
	// True: at the URL that the Link header calls next (RFC 8288). An empty
	// page is the last one.
	Link bool `yaml:"link" json:"link,omitempty"`
	// At the URL, absolute or relative, that stands at this gjson path of
	// the body.
	Next string `yaml:"next" json:"next,omitempty"`
	// By a cursor, which is sent as param: its gjson path in the body.
	Cursor string `yaml:"cursor" json:"cursor,omitempty"`
	// By the id of the last item, which is sent as param: its gjson path in
	// the item or, where there is nothing, in the body.
	LastID string `yaml:"last_id" json:"last_id,omitempty"`
	// By number: the name of the parameter that has it.
	Page string `yaml:"page" json:"page,omitempty"`
	// By the number of items before the page: the name of the parameter
	// that has it.
	Offset string `yaml:"offset" json:"offset,omitempty"`
	// Name of the parameter that takes the cursor or the id.
	Param string `yaml:"param" json:"param,omitempty"`
	// Where the parameters are: in the query (default), or in the JSON body,
	// where a name is a dotted path such as variables.after.
	In string `yaml:"in" json:"in,omitempty" jsonschema:"enum=query,enum=json"`
	// Number of the first page, or of the first item with offset. Default:
	// 1, with offset 0.
	Start *int `yaml:"start" json:"start,omitempty" jsonschema:"minimum=0,maximum=1000000"`
	// Name of the parameter that asks for limit items a page.
	Size string `yaml:"size" json:"size,omitempty"`
	// Items a page that are asked for.
	Limit int `yaml:"limit" json:"limit,omitempty" jsonschema:"minimum=1,maximum=1000000"`
	// gjson path of the number of pages. Absent: an empty page is the end.
	Pages string `yaml:"pages" json:"pages,omitempty"`
	// gjson path of whether there are more pages: true or false.
	More string `yaml:"more" json:"more,omitempty"`
	// Pages over which the poll fails. Default: 100.
	MaxPages int `yaml:"max_pages" json:"max_pages,omitempty" jsonschema:"minimum=1,maximum=10000"`
}

// Bounds of a poll that asks for several pages.
const (
	defaultMaxPages = 100
	mostPages       = 10_000
	pagesFactor     = 10                    // all pages together have at most so many times max_body
	largestPages    = int64(largestMaxBody) // and at most so many bytes
	longestPages    = longestTimeout        // and take at most so long; each has the timeout of one
	longestLink     = 8 << 10               // bytes of a link or a cursor
)

// paging is a PaginateSettings, compiled.
type paging struct {
	PaginateSettings
	kind  string // name of the setting
	start int
	items string // gjson path of the list in each page
}

// The kinds of paging, by the settings that choose them.
const (
	byLink   = "link"
	byNext   = "next"
	byCursor = "cursor"
	byLastID = "last_id"
	byPage   = "page"
	byOffset = "offset"
)

// first is the request of the first page.
func (p *paging) first(w *wire) (*wire, error) {
	switch p.kind {
	case byPage, byOffset:
		return p.numbered(w, p.start)
	}
	return w, nil
}

// numbered is w for the page, or the offset, n.
func (p *paging) numbered(w *wire, n int) (*wire, error) {
	name := p.Page
	if p.kind == byOffset {
		name = p.Offset
	}
	w, err := p.set(w, name, decimal(n))
	if err == nil && p.Size != "" {
		w, err = p.set(w, p.Size, decimal(p.Limit))
	}
	return w, err
}

// endsEmpty reports whether an empty page is what tells the end.
func (p *paging) endsEmpty() bool {
	switch p.kind {
	case byLink:
		return true
	case byLastID, byPage, byOffset:
		return p.More == "" && p.Pages == ""
	}
	return false
}

// room is how many bytes all pages may have, where one may have maxBody.
func room(maxBody int64) int64 { return min(pagesFactor*maxBody, largestPages) }
