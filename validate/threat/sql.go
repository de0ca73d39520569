package threat

import (
	"strings"

	libinjection "github.com/corazawaf/libinjection-go"
)

// SQL tells whether a text would change a statement into which it were pasted: as a number, or between quotes. Each reading is
// followed by an automaton through the grammar until it dies, which prose and code do within a few words; a text that
// survives and takes over the statement is flagged, and one that merely survives if libinjection also flags it.
func SQL(s string) Class { return layers(s, sqlLayer) }

func sqlLayer(s string) Class {
	alive := -1 // where the first reading begins that merely survives
	takesOver := func(from int, quote byte) bool {
		w := readSQL(s, from, quote)
		if !w.strong && !w.dead && alive < 0 && w.plausible() {
			alive = from
		}
		return w.strong
	}
	if takesOver(0, 0) {
		return SQLI
	}
	for _, quote := range [2]byte{'\'', '"'} {
		if sqlBreaksOut(s, quote, takesOver) {
			return SQLI
		}
	}
	if columns, union := sqlUnionIn(s); columns {
		return SQLI
	} else if union && alive < 0 {
		alive = 0
	}
	if alive < 0 {
		return None
	}
	s = s[max(0, alive-64):] // what comes before does not matter to it, and costs time
	if found, _ := libinjection.IsSQLi(s[:min(len(s), maxDecode)]); found {
		return SQLI
	}
	return None
}

// sqlBreaksOut tries what follows the quote that may end the string around the text: the first that is not doubled, the first
// at all (a doubled one ends a string of the other kind), and the first after which backslashes escape.
func sqlBreaksOut(s string, quote byte, takesOver func(from int, quote byte) bool) bool {
	first := strings.IndexByte(s, quote)
	if first < 0 {
		return false
	}
	single := sqlClose(s, 0, quote, false)
	if single >= 0 && takesOver(single+1, quote) || first != single && takesOver(first+1, quote) {
		return true
	}
	escaped := sqlClose(s, 0, quote, true)
	return escaped >= 0 && escaped != single && takesOver(escaped+1, quote)
}

// plausible decides whether a reading that survived is worth a second opinion.
func (w *sqlWalk) plausible() bool {
	switch {
	case w.clause:
		return true
	case w.quote == 0:
		return w.plausibleNumber()
	case !w.logic && w.inCode():
		return false
	case w.comment && !w.logic: // admin' --
		return w.few(3) && fewWords(w.r.s[w.hidden:], 3)
	case w.prefix > 33 && !w.logic || !w.few(3):
		return false
	}
	return w.tail == 0 || len(w.r.s)-w.tail <= 33 && fewWords(w.r.s[w.tail:], 4)
}

// plausibleNumber is plausible for a text that stands where a number does.
func (w *sqlWalk) plausibleNumber() bool {
	values := w.compares + w.numbers + w.literals
	switch {
	case w.logic && w.numbers+w.known+w.literals > 0:
		return true
	case w.commas == 0 && (w.known > 1 || values > 0 && w.known > 0):
		return true
	case w.compares > 0 && w.known+w.vars > 0:
		return true
	}
	return w.comment && (w.known > 0 || w.names == 0 && w.commas == 0)
}

// inCode: the quote follows what no value ends with, as in split('/').
func (w *sqlWalk) inCode() bool {
	before := strings.TrimRight(w.r.s[:w.prefix-1], " \t")
	return before != "" && oneOf(before[len(before)-1], "(=[{,:>+")
}

// few: what stands before the quote has at most n words: it looks like a value, not like a sentence.
func (w *sqlWalk) few(n int) bool { return fewWords(w.r.s[:w.prefix], n) }

// valueBefore is few with as many words as a name or a title has.
func (w *sqlWalk) valueBefore() bool { return w.few(5) }
