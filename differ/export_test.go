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

// Keys are the keys of a memory, for the tests of its index.
type Keys struct{ m memory }

// Put enters key, if it is not there, and gives its number.
func (k *Keys) Put(key string) int {
	if k.m.find(key) == nil {
		k.m.enter(key)
	}
	return k.Find(key)
}

// Find gives the number of key; -1: it is not there.
func (k *Keys) Find(key string) int { return k.m.index.find(k.m.entries, key) }

// At is the key of a number.
func (k *Keys) At(i int) string { return k.m.entries[i].key }
