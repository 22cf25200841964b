package differ

import (
	"hash/maphash"
	"math/bits"
)

// index finds entries by their keys: a table of 4 bytes a slot, open
// addressing with linear probing, at most 7/8 full. A slot is an entry's number
// from 1 in its low bits and the upper bits of its key's hash above, so that
// nearly every entry that is looked at is the right one. Entries are never taken
// out; an index of fewer is made anew. The zero value is empty.
type index struct {
	seed  maphash.Seed // random: nobody can choose keys that collide
	slots []uint32     // 0: free; their number is a power of two
	used  int
}

// leastSlots are those of an index that has a key.
const leastSlots = 2

// width is how many bits an entry's number has.
func (x *index) width() int { return bits.Len(uint(len(x.slots)) - 1) }

// slot gives the first slot for a hash, and what stands above the number in it.
func (x *index) slot(hash uint64) (at int, tag uint32) {
	width := x.width()
	return int(hash & uint64(len(x.slots)-1)), uint32(hash>>32) >> width << width
}

// find gives the number of the entry with key, counted from 0; -1: there is none.
func (x *index) find(entries []entry, key string) int {
	if x.used == 0 {
		return -1
	}
	at, tag := x.slot(maphash.String(x.seed, key))
	mask := uint32(1)<<x.width() - 1
	for ; x.slots[at] != 0; at = (at + 1) & (len(x.slots) - 1) {
		if s := x.slots[at]; s&^mask == tag && entries[s&mask-1].key == key {
			return int(s&mask) - 1
		}
	}
	return -1
}

// add enters the last of entries, whose key is not there yet.
func (x *index) add(entries []entry) {
	if x.used+1 > len(x.slots)/8*7+len(x.slots)%8/2 {
		x.grow(entries)
		return
	}
	x.put(entries[len(entries)-1].key, len(entries)-1)
}

// grow makes room and enters all entries anew.
func (x *index) grow(entries []entry) {
	*x = newIndex(x.seed, len(entries))
	for i := range entries {
		x.put(entries[i].key, i)
	}
}

// newIndex has room for n entries and none in it.
func newIndex(seed maphash.Seed, n int) index {
	if seed == (maphash.Seed{}) {
		seed = maphash.MakeSeed()
	}
	size := leastSlots
	for n > size/8*7+size%8/2 {
		size *= 2
	}
	return index{seed: seed, slots: make([]uint32, size)}
}

func (x *index) put(key string, i int) {
	at, tag := x.slot(maphash.String(x.seed, key))
	for x.slots[at] != 0 {
		at = (at + 1) & (len(x.slots) - 1)
	}
	x.slots[at] = tag | uint32(i+1)
	x.used++
}
