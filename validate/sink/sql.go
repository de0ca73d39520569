package sink

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Dialect is how a database writes names and literals. The zero value is standard SQL.
type Dialect uint8

// Dialects.
const (
	Standard  Dialect = iota // "name" and 'text', as in PostgreSQL, SQLite, Oracle
	MySQL                    // `name`, and a backslash in a text escapes
	SQLServer                // [name]
)

// Identifiers are the names of columns and tables that a statement may be built with: a name cannot be a parameter. The zero value
// allows none.
type Identifiers struct {
	dialect Dialect
	names   []string
}

// NewIdentifiers returns a list. Names are compared as they are, with case.
func NewIdentifiers(d Dialect, names ...string) (Identifiers, error) {
	if d > SQLServer {
		return Identifiers{}, refuse(ErrUnlisted, "dialect", strconv.Itoa(int(d)), "be one of this package")
	}
	for _, name := range names {
		if name == "" || len(name) > 128 {
			return Identifiers{}, refuse(ErrText, "identifier", name, "have 1 to 128 bytes")
		}
		if err := plain("identifier", name); err != nil {
			return Identifiers{}, err
		}
	}
	return Identifiers{d, slices.Clone(names)}, nil
}

// Quote returns a name as it is written in a statement, if it is on the list.
func (l Identifiers) Quote(name string) (string, error) {
	if !slices.Contains(l.names, name) {
		return "", refuse(ErrUnlisted, "identifier", name, "be one that was listed")
	}
	switch l.dialect {
	case MySQL:
		return "`" + strings.ReplaceAll(name, "`", "``") + "`", nil
	case SQLServer:
		return "[" + strings.ReplaceAll(name, "]", "]]") + "]", nil
	default:
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`, nil
	}
}

// Order returns what follows ORDER BY, for one column and a direction: asc, desc, in any case, or empty.
func (l Identifiers) Order(column, direction string) (string, error) {
	name, err := l.Quote(column)
	if err != nil {
		return "", err
	}
	switch {
	case direction == "" || strings.EqualFold(direction, "asc"):
		return name + " ASC", nil
	case strings.EqualFold(direction, "desc"):
		return name + " DESC", nil
	}
	return "", refuse(ErrUnlisted, "direction", direction, "be asc or desc")
}

// Literal returns the text as a literal, for tools that take no parameters. Prefer parameters: a literal is right for one
// dialect, and for connections in UTF-8.
//
// That of [Standard] is none in PostgreSQL with standard_conforming_strings off. That of [MySQL] stays one literal, though another
// text, where two quotes within a text are one: in SQLite, PostgreSQL, Oracle and SQL Server, not in BigQuery.
func Literal(d Dialect, text string) (string, error) {
	if d > SQLServer {
		return "", refuse(ErrUnlisted, "dialect", strconv.Itoa(int(d)), "be one of this package")
	}
	if err := plain("literal", text); err != nil {
		return "", err
	}
	if d == MySQL {
		text = strings.ReplaceAll(text, `\`, `\\`)
	}
	text = "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if d == SQLServer { // the prefix is for what is no ASCII
		if strings.Contains(text, "\\\n") || strings.Contains(text, "\\\r") {
			return "", refuse(ErrText, "literal", text, "have no backslash at the end of a line, which is removed")
		}
		text = "N" + text
	}
	return text, nil
}

// LikePattern returns a pattern that matches the text alone where LIKE has ESCAPE '!'. It is a parameter, or goes into [Literal].
func LikePattern(text string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_", "[", "![").Replace(text)
}

// plain refuses what no sink that takes code can be trusted with: a NUL ends the text for some, and invalid UTF-8 hides a
// quote from others.
func plain(sink, text string) error {
	if strings.IndexByte(text, 0) >= 0 {
		return refuse(ErrText, sink, text, "have no NUL")
	}
	if !utf8.ValidString(text) {
		return refuse(ErrText, sink, text, "be UTF-8")
	}
	return nil
}
