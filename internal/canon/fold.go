package canon

import (
	"unicode"
	"unicode/utf8"
)

// fold brings the canonical string that out has from start on into the one
// spelling of all that differ from it by simple case folding (Unicode's
// CaseFolding.txt, C and S). Escapes are lower case already.
func fold(out []byte, start int) []byte {
	for i := start; i < len(out); i++ {
		if out[i] >= utf8.RuneSelf {
			return append(out[:i], foldRunes(string(out[i:]))...)
		}
		if out[i] >= 'A' && out[i] <= 'Z' {
			out[i] += 'a' - 'A'
		}
	}
	return out
}

func foldRunes(text string) []byte {
	folded := make([]byte, 0, len(text))
	for _, r := range text {
		folded = utf8.AppendRune(folded, foldRune(r))
	}
	return folded
}

// foldRune is the least of the runes that r is equal to, in lower case where
// that is ASCII.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least >= 'A' && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
