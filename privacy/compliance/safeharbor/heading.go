package safeharbor

import "strings"

// heading reads the name of a column as the words in front of its cells.
func (s *Scanner) heading(column string) state {
	parts := headingWords(column)
	quiet := &Scanner{restricted: s.restricted} // wants nothing
	quiet.start("", 0, state{})
	quiet.buf.add([]byte(strings.Join(parts, "")+": "), true)
	quiet.drain(true)
	at := quiet.state
	at.rebase(int64(len(quiet.buf.b)))

	// What follows in a name does not go on from what it is the name of: age_at_admission, zip5, mrn_value.
	calls, counts, days := none, false, false
	for _, p := range parts {
		low := []byte(strings.ToLower(p))
		w, strong := vocabulary(low)
		switch string(low) {
		case "count", "counts", "total":
			counts = true
		case "days", "weeks", "months", "hours", "minutes":
			days = true
		case "mac":
			w, strong = wordDevice, true
		case "dt", "dttm", "admit", "datetime", "timestamp":
			w = wordDate
		case "contact":
			w = wordPhone
		case "pat":
			w = wordMRN // with "id" or its like
		}
		switch {
		case w == wordNumber && calls == none && at.last == none && headingPatient(parts):
			calls = wordMRN
		case w >= wordMRN && w <= wordAge && strong && calls == none:
			calls = w
		case w >= wordPhone && w <= wordDate && at.near[w] == 0:
			at.near[w] = -1
		}
	}
	weak := at.last != none && at.last <= wordDevice && !at.strong
	if calls != none && (at.last == none || at.last == wordDate || weak) && !counts && (calls != wordAge || !days) {
		at.last, at.lastEnd, at.strong = calls, -1, true
	}
	return at
}

// headingPatient reports whether the name of a column starts with the short form of "patient".
func headingPatient(parts []string) bool {
	return strings.EqualFold(strings.TrimSpace(parts[0]), "pat")
}

// headingWords cuts the name of a column into words, numbers and what is between them: patientID5 are three.
func headingWords(column string) (parts []string) {
	class := func(c byte) int {
		switch {
		case isDigit(c):
			return 1
		case isLetter(c):
			return 2
		}
		return 0
	}
	from := 0
	for i := 1; i <= len(column); i++ {
		if i < len(column) && class(column[i]) == class(column[i-1]) && !hump(column, i) {
			continue
		}
		if from < i {
			parts = append(parts, column[from:i])
		}
		if i < len(column) && hump(column, i) {
			parts = append(parts, " ")
		}
		from = i
	}
	return parts
}

// hump reports whether a word starts with the capital letter column[i]: patientID, MRNValue.
func hump(column string, i int) bool {
	upper := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	lower := func(c byte) bool { return c >= 'a' && c <= 'z' }
	return upper(column[i]) && (lower(column[i-1]) || upper(column[i-1]) && i+1 < len(column) && lower(column[i+1]))
}
