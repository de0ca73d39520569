package threat

import "strings"

// sqlKind is what the automaton knows of a token of SQL.
type sqlKind uint8

const (
	sqlEnd     sqlKind = iota
	sqlBad             // no token of SQL
	sqlNumber          // 1, 0x41, 1.5e3
	sqlString          // '…', "…"
	sqlOpen            // a string that the input does not close
	sqlName            // an identifier
	sqlVar             // @a, @@version
	sqlBool            // TRUE, FALSE, NULL
	sqlOp              // an operator between operands
	sqlCompare         // one that compares
	sqlLogic           // AND, OR, XOR, ||, &&
	sqlSign            // + - ! ~: before an operand, or between two
	sqlStar            // *
	sqlNot             // NOT
	sqlPrefix          // a word before an operand: BINARY, DISTINCT, ANY
	sqlCase            // CASE, WHEN, THEN, ELSE
	sqlSuffix          // a word after an operand: ISNULL
	sqlUnion           // UNION, EXCEPT, INTERSECT
	sqlSelect          // SELECT
	sqlBy              // ORDER, GROUP
	sqlClause          // HAVING, LIMIT, …: after an operand, before another
	sqlFrom            // FROM, WHERE
	sqlVerb            // what begins a statement
	sqlBatch           // what begins one without a semicolon
	sqlLeft            // (
	sqlRight           // )
	sqlComma           // ,
	sqlSemi            // ;
	sqlComment         // one that hides the rest of the line
)

type sqlToken struct {
	kind     sqlKind
	from, to int
}

// sqlReader splits SQL of several dialects into tokens, without allocating.
type sqlReader struct {
	s     string
	i     int
	inner bool // in /*! … */
}

// sqlSpace is how many bytes of space begin at i: also the no-break space, as the byte that it is in Latin 1, in UTF-8 and as what JSON
// leaves of that byte, and the ideographic one, which some servers take for a space.
func sqlSpace(s string, i int) int {
	switch c := s[i]; {
	case c <= ' ', c == 0xa0 && (i == 0 || s[i-1] < 0x80):
		return 1
	case c < 0x80:
		return 0
	case strings.HasPrefix(s[i:], "\u00a0"):
		return 2
	case strings.HasPrefix(s[i:], "\ufffd"), strings.HasPrefix(s[i:], "\u3000"):
		return 3
	}
	return 0
}

func sqlWordByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80 && c != 0xa0
}

func (r *sqlReader) next() sqlToken {
	s := r.s
	for r.i < len(s) {
		if n := sqlSpace(s, r.i); n > 0 {
			r.i += n
			continue
		}
		if s[r.i] == '/' && strings.HasPrefix(s[r.i:], "/*") {
			if strings.HasPrefix(s[r.i:], "/*!") { // MySQL runs what is in it
				r.i += 3
				r.inner = true
				for r.i < len(s) && s[r.i] >= '0' && s[r.i] <= '9' {
					r.i++
				}
				continue
			}
			end := strings.Index(s[r.i+2:], "*/")
			if end < 0 {
				return r.take(sqlComment, len(s)-r.i)
			}
			r.inner = r.inner || strings.Contains(s[r.i+2:r.i+3+end], "/*") // PostgreSQL nests them
			r.i += end + 4
			continue
		}
		if r.inner && s[r.i] == '*' && strings.HasPrefix(s[r.i:], "*/") {
			r.i += 2
			continue
		}
		break
	}
	if r.i >= len(s) {
		return sqlToken{sqlEnd, len(s), len(s)}
	}
	c := s[r.i]
	second := byte(0)
	if r.i+1 < len(s) {
		second = s[r.i+1]
	}
	switch {
	case c >= '0' && c <= '9' || c == '.' && second >= '0' && second <= '9':
		return r.number()
	case sqlWordByte(c):
		return r.word()
	case c == '\'' || c == '"':
		return r.str(r.i)
	case c == '`':
		end := strings.IndexByte(s[r.i+1:], '`')
		if end < 0 {
			return r.take(sqlBad, 1)
		}
		return r.take(sqlName, end+2)
	case c == '@':
		if second == '"' || second == '\'' {
			from := r.i
			r.i++
			return r.str(from)
		}
		n := 1
		for r.i+n < len(s) && (s[r.i+n] == '@' || s[r.i+n] == '.' || sqlWordByte(s[r.i+n])) {
			n++
		}
		return r.take(sqlVar, n)
	}
	if n, kind := sqlSymbol(s[r.i:], c, second); n > 0 {
		return r.take(kind, n)
	}
	return r.take(sqlBad, 1)
}

func sqlSymbol(s string, c, second byte) (int, sqlKind) {
	switch c {
	case '-':
		if second == '-' {
			return len(s), sqlComment
		}
		if second == '>' {
			return 2, sqlOp
		}
		return 1, sqlSign
	case '#':
		return len(s), sqlComment
	case '+', '~':
		return 1, sqlSign
	case '!':
		if second == '=' || second == '<' || second == '>' {
			return 2, sqlCompare
		}
		return 1, sqlSign
	case '=', '<', '>':
		n := 1
		for n < 3 && n < len(s) && (s[n] == '=' || s[n] == '<' || s[n] == '>') {
			n++
		}
		return n, sqlCompare
	case '|', '&':
		if second == c {
			return 2, sqlLogic
		}
		return 1, sqlOp
	case '*':
		return 1, sqlStar
	case '/', '%', '^':
		return 1, sqlOp
	case ':':
		if second == ':' || second == '=' {
			return 2, sqlOp
		}
	case '(', '{':
		return 1, sqlLeft
	case ')', '}':
		return 1, sqlRight
	case ',':
		return 1, sqlComma
	case ';':
		return 1, sqlSemi
	case '\\':
		if second == 'N' {
			return 2, sqlBool
		}
	}
	return 0, sqlBad
}

func (r *sqlReader) take(k sqlKind, n int) sqlToken {
	t := sqlToken{k, r.i, r.i + n}
	r.i += n
	return t
}

// str reads a string whose quote is at r.i and that began at from.
func (r *sqlReader) str(from int) sqlToken {
	end := sqlClose(r.s, r.i+1, r.s[r.i], true)
	if end < 0 {
		r.i = len(r.s)
		return sqlToken{sqlOpen, from, len(r.s)}
	}
	r.i = end + 1
	return sqlToken{sqlString, from, end + 1}
}

// sqlClose returns where a string that has begun ends, or -1. A doubled quote is a quote in it; so is one after a backslash where
// the dialect escapes.
func sqlClose(s string, i int, quote byte, escapes bool) int {
	for ; i < len(s); i++ {
		switch {
		case s[i] == '\\' && escapes:
			i++
		case s[i] != quote:
		case i+1 < len(s) && s[i+1] == quote:
			i++
		default:
			return i
		}
	}
	return -1
}

func (r *sqlReader) number() sqlToken {
	s, i := r.s, r.i
	if s[i] == '0' && i+2 < len(s) && (s[i+1]|0x20 == 'x' || s[i+1]|0x20 == 'b') && unhex(s[i+2]) >= 0 {
		for i += 2; i < len(s) && unhex(s[i]) >= 0; i++ {
		}
		return r.take(sqlNumber, i-r.i)
	}
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	if i < len(s) && s[i]|0x20 == 'e' && i+1 < len(s) && (s[i+1] >= '0' && s[i+1] <= '9' || s[i+1] == '.') {
		for i++; i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.'); i++ {
		}
	} else if i < len(s) && s[i]|0x20 == 'e' && i+2 < len(s) && (s[i+1] == '-' || s[i+1] == '+') && s[i+2] >= '0' && s[i+2] <= '9' {
		for i += 2; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		}
	}
	t := r.take(sqlNumber, i-r.i)
	if i < len(s) && sqlWordByte(s[i]) { // 1or 1=1 is 1 OR 1=1; 10th is a name
		from := t.from
		if w := r.word(); w.kind == sqlName {
			return sqlToken{sqlName, from, w.to}
		}
		r.i = i
	}
	return t
}

func (r *sqlReader) word() sqlToken {
	s, from := r.s, r.i
	var buf [12]byte
	n := 0
	i := from
	for i < len(s) && sqlWordByte(s[i]) && sqlSpace(s, i) == 0 {
		c := s[i]
		if n < len(buf) {
			if c >= 'a' && c <= 'z' {
				c -= 0x20
			}
			buf[n] = c
		}
		n++
		i++
	}
	r.i = i
	kind := sqlName
	if n <= len(buf) {
		kind = sqlKeyword(buf[:n])
	}
	if kind == sqlName && i < len(s) {
		if s[i] == '\'' && (n == 1 || s[from] == '_') { // n'…', x'…', _utf8'…'
			return r.str(from)
		}
		for i+1 < len(s) && s[i] == '.' && (sqlWordByte(s[i+1]) || s[i+1] == '`') { // a.b.c
			i++
			for i < len(s) && (sqlWordByte(s[i]) || s[i] == '`') {
				i++
			}
			r.i = i
		}
	}
	return sqlToken{kind, from, r.i}
}

func sqlKeyword(w []byte) sqlKind {
	switch string(w) {
	case "AND", "OR", "XOR", "EQV", "IMP":
		return sqlLogic
	case "LIKE", "RLIKE", "REGEXP", "ILIKE", "SIMILAR", "GLOB", "AGAINST", "IN", "IS", "BETWEEN", "SOUNDS":
		return sqlCompare
	case "DIV", "MOD", "COLLATE", "FOR", "AS", "ESCAPE", "OVERLAPS":
		return sqlOp
	case "NOT":
		return sqlNot
	case "BINARY", "DISTINCT", "ALL", "ANY", "SOME", "EXISTS", "MATCH", "INTERVAL":
		return sqlPrefix
	case "CASE", "WHEN", "THEN", "ELSE":
		return sqlCase
	case "ISNULL", "NOTNULL", "END":
		return sqlSuffix
	case "TRUE", "FALSE", "NULL", "UNKNOWN":
		return sqlBool
	case "UNION", "FUNION", "DUNION", "EXCEPT", "INTERSECT", "MINUS":
		return sqlUnion
	case "SELECT":
		return sqlSelect
	case "ORDER", "GROUP":
		return sqlBy
	case "HAVING", "LIMIT", "OFFSET", "PROCEDURE", "INTO", "RETURNING", "FETCH":
		return sqlClause
	case "FROM", "WHERE":
		return sqlFrom
	case "DROP", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "TRUNCATE", "REPLACE", "GRANT", "REVOKE", "CALL", "HANDLER", "LOAD", "MERGE",
		"SET", "USE", "BEGIN", "IF", "COPY", "DO", "SHOW", "DESCRIBE", "EXPLAIN", "ATTACH", "BACKUP", "RESTORE", "KILL", "PREPARE", "COMMIT",
		"ROLLBACK", "WITH", "VALUES", "DBCC", "BULK", "RENAME", "PRAGMA", "WHILE", "PRINT":
		return sqlVerb
	case "WAITFOR", "EXEC", "EXECUTE", "GOTO", "DECLARE", "SHUTDOWN":
		return sqlBatch
	}
	return sqlName
}
