package differ

// Remembered is how many items d has in memory of a source, gone ones too.
func Remembered(d *Differ, source string) int { return len(d.memories[source].entries) }

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
