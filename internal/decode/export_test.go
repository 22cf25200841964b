package decode

// Weigh is the document that is parsed, and how much of the bound its tree may
// take.
func Weigh(text string) (safe string, weight int, err error) { return weigh(text) }
