// Package sink makes a text harmless at the place where it will be used: in SQL, HTML, a shell's command line, the name of a file, a
// log line, a header, a URL, a prompt.
//
// For most uses call the function that has the name of the place: [HTML], [Shell], [Path], [Log], [HeaderValue], [Literal]; make a
// [URLPolicy] for addresses that somebody else chose; open files below a directory through a [Root]. Keep the text as it came, and make
// it harmless once, last, where it is used: what was made for one place is wrong at another.
//
// None of this asks whether a text looks dangerous (package threat does, for counters). A function either returns what means the text,
// whole, or says why it cannot: nothing is removed from a text, and no bad part of one is let through. Where a library takes
// the text apart from the code, that is better than any of these: parameters of a statement instead of [Literal], the arguments of
// exec.Command instead of [Shell], html/template instead of [HTML].
package sink

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Sentinels that the errors of this package match.
var (
	// ErrText is matched where a text has what the place cannot bear: a NUL, a control character, invalid UTF-8.
	ErrText = errors.New("sink: text not allowed")
	// ErrEscapes is matched where a path would leave its directory.
	ErrEscapes = errors.New("sink: path escapes its directory")
	// ErrUnlisted is matched where an identifier, a scheme, a host or a port is not one of those that are allowed.
	ErrUnlisted = errors.New("sink: not on the list")
	// ErrAddress is matched where a host is, or resolves to, an address that is not of the public network.
	ErrAddress = errors.New("sink: address not allowed")
)

// Error says what a text may not be used for.
type Error struct {
	Sink  string // what it was meant for: "path", "header value"
	Value string // the text, printable, cut if it is long
	Limit string // what is asked of it
	Kind  error  // the sentinel
}

// Error names the place, the text and what is asked.
func (e *Error) Error() string {
	return fmt.Sprintf("%v: %s %s must %s", e.Kind, e.Sink, e.Value, e.Limit)
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Kind }

// Permanent tells a retrier that the same text will be refused again.
func (e *Error) Permanent() bool { return true }

// refuse makes an Error.
func refuse(kind error, sink, text, limit string) error {
	const most = 64
	if len(text) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		return &Error{sink, strconv.QuoteToASCII(text[:cut]) + fmt.Sprintf("… (%d bytes)", len(text)), limit, kind}
	}
	return &Error{sink, strconv.QuoteToASCII(text), limit, kind}
}
