package bolt

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/deltahook/deltahook/poller"
)

// describe names a record for a person.
func describe(b bucket, key []byte) string {
	if what := describeKey(b, key); what != "" {
		return fmt.Sprintf("%s record of %s", b, what)
	}
	return fmt.Sprintf("%s record %q", b, clip(string(key)))
}

// describeKey spells the parts of a key out, or gives "" where it can't.
func describeKey(b bucket, key []byte) string {
	switch b {
	case bucketMeta:
		if credential, ok := strings.CutPrefix(string(key), tokenKey); ok {
			return fmt.Sprintf("credential %q", clip(credential))
		}
		if limit, ok := strings.CutPrefix(string(key), limitKey); ok {
			return fmt.Sprintf("limit %q", clip(limit))
		}
		if source, ok := strings.CutPrefix(string(key), nameKey); ok {
			return fmt.Sprintf("name %q", clip(source))
		}
		if source, ok := strings.CutPrefix(string(key), leftKey); ok {
			return fmt.Sprintf("source %q that left", clip(source))
		}
		if stem, ok := strings.CutPrefix(string(key), forgetKey); ok {
			return fmt.Sprintf("%s that is being forgotten", describeUnit(stem))
		}
		return fmt.Sprintf("%q", clip(string(key)))
	case bucketSources:
		return describeUnit(string(key))
	case bucketEvents:
		return fmt.Sprintf("event %q", clip(string(key)))
	case bucketEndpoints:
		return fmt.Sprintf("endpoint %q", clip(string(key)))
	case bucketItems:
		return describeItem(key)
	case bucketNotes:
		return describeNote(key)
	case bucketUpdates:
		return describeUpdate(key)
	case bucketRevisions:
		if stem, item, revision, ok := cutRevisionKey(key); ok {
			return fmt.Sprintf("%s key %q revision %d", describeUnit(stem), clip(item), revision)
		}
	case bucketGone:
		if len(key) > 8 {
			return describeItem(key[8:])
		}
	case bucketBySource:
		if source, rest, ok := cutPart(key); ok && len(rest) == 9 {
			return fmt.Sprintf("source %q delivery %d", clip(source), binary.BigEndian.Uint64(rest))
		} else if ok && len(rest) > 9 {
			return fmt.Sprintf("source %q event %q", clip(source), clip(string(rest[9:])))
		}
	case bucketBodies:
		if event, rest, ok := cutPart(key); ok && len(rest) == 2 {
			return fmt.Sprintf("event %q number %d", clip(event), binary.BigEndian.Uint16(rest))
		}
	case bucketAttempts:
		if len(key) == 12 {
			return fmt.Sprintf("delivery %d attempt %d", binary.BigEndian.Uint64(key), binary.BigEndian.Uint32(key[8:]))
		}
	case bucketDeliveries, bucketDead:
		if n, ok := lastNumber(key); ok {
			return fmt.Sprintf("delivery %d", n)
		}
	case bucketLanes, bucketDue, bucketByEndpoint, bucketLetters:
		if endpoint, rest, ok := cutPart(key); ok && len(rest) >= 8 {
			n, _ := lastNumber(rest)
			return fmt.Sprintf("endpoint %q delivery %d", clip(endpoint), n)
		}
	}
	return ""
}

func describeUnit(unit string) string {
	source, watch := poller.CutUnit(unit)
	if watch == "" {
		return fmt.Sprintf("source %q", clip(source))
	}
	return fmt.Sprintf("source %q watch %q", clip(source), clip(watch))
}

func describeItem(key []byte) string {
	unit, item, ok := cutItemKey(key)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s key %q", describeUnit(unit), clip(item))
}

func describeNote(k []byte) string {
	unit, rest, ok := cutUnit(k)
	if !ok {
		return ""
	}
	key, name, ok := cutPart(rest)
	if !ok {
		return ""
	}
	if key == "" {
		return fmt.Sprintf("%s note %q", describeUnit(unit), clip(string(name)))
	}
	return fmt.Sprintf("%s key %q note %q", describeUnit(unit), clip(key), clip(string(name)))
}

func describeUpdate(k []byte) string {
	unit, rest, ok := cutUnit(k)
	if !ok {
		return ""
	}
	key, rest, ok := cutPart(rest)
	if !ok {
		return ""
	}
	endpoint, typ, ok := cutPart(rest)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s key %q type %q endpoint %q", describeUnit(unit), clip(key), clip(string(typ)), clip(endpoint))
}

// clip keeps a name short enough for an error.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
