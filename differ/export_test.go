package differ

// Remembered is how many items d has in memory of a source, gone ones too.
func Remembered(d *Differ, source string) int { return len(d.memories[source].entries) }

// Repage reads a page of samples and writes what it read. n is how many
// buckets that were.
func Repage(number int64, data []byte) (again []byte, n int) {
	p := page{number, data}
	origin, width, _, ok := p.head()
	if !ok {
		return nil, 0
	}
	buckets := p.appendBuckets(nil)
	return newPage(number, origin, width, buckets).data, len(buckets)
}
