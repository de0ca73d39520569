package sink

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// literalEnd reads a literal that begins a text as a database does. It returns what it means and what follows it.
func literalEnd(s string, backslash bool) (text, rest string, ok bool) {
	if s == "" || s[0] != '\'' {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case backslash && s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
			b.WriteByte('\'')
		case s[i] == '\'':
			return b.String(), s[i+1:], true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

func TestLiteral(t *testing.T) {
	t.Parallel()
	for _, s := range texts(t) {
		for _, d := range []Dialect{Standard, MySQL, SQLServer} {
			lit, err := Literal(d, s)
			if strings.Contains(s, "\x00") || !utf8.ValidString(s) || d == SQLServer && (strings.Contains(s, "\\\n") || strings.Contains(s, "\\\r")) {
				require.ErrorIs(t, err, ErrText)
				continue
			}
			require.NoError(t, err)
			text, rest, ok := literalEnd(strings.TrimPrefix(lit, "N")+" AND 1=1", d == MySQL)
			if !ok || text != s || rest != " AND 1=1" {
				t.Fatalf("%q as %s in dialect %d reads as %q, then %q", s, lit, d, text, rest)
			}
			if _, rest, ok := literalEnd(lit+" AND 1=1", false); d == MySQL && (!ok || rest != " AND 1=1") {
				t.Fatalf("%q as %s does not stay one literal without backslashes: %q", s, lit, rest)
			}
		}
	}
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	l, err := NewIdentifiers(Standard, "loss", `we"ird`)
	require.NoError(t, err)
	for name, want := range map[string]string{"loss": `"loss"`, `we"ird`: `"we""ird"`} {
		got, err := l.Quote(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, name := range []string{"", "Loss", "loss ", "loss; DROP TABLE x", "secret"} {
		_, err := l.Quote(name)
		require.ErrorIs(t, err, ErrUnlisted)
	}
	got, err := l.Order("loss", "DESC")
	require.NoError(t, err)
	require.Equal(t, `"loss" DESC`, got)
	_, err = l.Order("loss", "desc; --")
	require.EqualError(t, err, `sink: not on the list: direction "desc; --" must be asc or desc`)
	_, err = l.Order("x", "")
	require.ErrorIs(t, err, ErrUnlisted)
	for d, want := range map[Dialect]string{MySQL: "`a``b`", SQLServer: "[a`b]"} {
		l, err := NewIdentifiers(d, "a`b")
		require.NoError(t, err)
		got, err := l.Quote("a`b")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"", "a\x00", "\xff", strings.Repeat("x", 129)} {
		_, err := NewIdentifiers(Standard, bad)
		require.ErrorIs(t, err, ErrText)
	}
	_, err = NewIdentifiers(9)
	require.ErrorContains(t, err, `dialect "9"`)
	_, err = Literal(9, "x")
	require.ErrorIs(t, err, ErrUnlisted)
	_, err = Identifiers{}.Quote("x")
	require.ErrorIs(t, err, ErrUnlisted)
}

func TestLikePattern(t *testing.T) {
	t.Parallel()
	require.Equal(t, "100!% a!_b!!![x]", LikePattern("100% a_b![x]"))
}
