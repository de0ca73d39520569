package threat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSQL(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"1 OR 1=1", "1' OR '1'='1", `1" OR "1"="1`, "admin'--", "admin' #", "1; DROP TABLE users", "'; DELETE FROM logs; --", "1 UNION SELECT 1,2,3", "' UNION ALL SELECT NULL,NULL--",
		"x') UNION SELECT a FROM b--", "1 ORDER BY 10--", "1' ORDER BY 3-- -", "1 AND SLEEP(5)", "' AND extractvalue(1,concat(0x7e,version()))-- -", "1; WAITFOR DELAY '0:0:5'",
		"1/*!50000UNION*//*!50000SELECT*/1", "1\u00a0OR\u00a01=1", "1%20OR%201%3D1", "%31%27%20%4f%52%20%31%3d%31--", "1 or true", "' OR 'a' LIKE 'a", "1'/**/OR/**/1=1#", "OR 2 > 1",
		"1 AND 1=1 UNION/**/SELECT 1", "' || (SELECT 1) || '", "1; EXEC xp_cmdshell 'dir'", "1' HAVING 1=1--", "-1 UNION SELECT version()", "' OR EXISTS(SELECT 1)--", "1 uNiOn/**/sElEcT 1",
		"'; UPDATE users SET role='admin'--", "1;SHUTDOWN", "1;DECLARE @a int", "1' AND ASCII(SUBSTRING(user(),1,1))>64--", "IF((SELECT 1)=1, SLEEP(1), 0)",
	} {
		require.Equal(t, SQLI, SQL(s), s)
	}
	for _, s := range []string{
		"", "plain", "O'Brien", "it's", "rock 'n' roll", "!@#", "TEST 0001 - (09/07/2025)", "image/*;q=0.8", "select a table; drop by", "Select the best model from the list.",
		"union of all sets", "order by date, group by user", "drop table stakes", "5' 10\" tall", "a -- b", "-- a comment", "/* a comment */", "# title", "x = 'a'; y = 'b'", `f("a", 'b')`,
		"if a == 1 or b == 2:", "for i in range(10): pass", "1, 2, 3", "3 + 4 = 7", "2024-05-01 12:00:00", "true or false", "split('/')", "lr=0.1 wd=1e-4", "C:\\data\\train", "a/b/c",
		"update 2024: fixed; see #12", "insert coin to continue", "create index cards", "SELECT is a keyword", "values matter; set goals", "where there is a will", "'quoted' and \"quoted\"",
		"(1 + 2) * 3", "100% (50/50)", "user@example.com", "http://example.com/?a=1&b=2", "the '--' option", "don't; won't", "begin at the beginning", "limit 10 per customer",
	} {
		require.Equal(t, None, SQL(s), s)
	}
}

// TestLarge: units that begin something over and over. In time that grew with the square of a megabyte this would not end.
func TestLarge(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"'", "\"", "1 OR ", "(", "/*", "--\n", "UNION ", "UNION SELECT ", "'a' ", "1;", "%25", "<", "<a ", "<a b=\"", "&#", "\\x3", "$(", "`", "|", ";", "../", "..%2f", "\u202e", "{{", "n", "un", "a=1 ", "\n", "case when ", "javascript:", "on=", "\\"} {
		s := strings.Repeat(unit, 1<<20/len(unit))
		for _, flag := range []func(string) Class{SQL, HTML, Shell, Path, Text} {
			flag(s)
		}
	}
}

func TestAllocates(t *testing.T) {
	lines := []string{
		"The learning rate drops by half after ten epochs, and the loss with it.", "models/checkpoint-00012.safetensors", "2024-05-01T12:00:00Z level=info msg=\"step done\" loss=0.53",
		"func Map[K comparable, V any](m map[K]V) []K {", "O'Brien said it's fine; we agreed.", "key: value", "日本語のテキスト",
	}
	for name, flag := range map[string]func(string) Class{"SQL": SQL, "HTML": HTML, "Shell": Shell, "Path": Path, "Text": Text} {
		require.Zero(t, testing.AllocsPerRun(20, func() {
			for _, s := range lines {
				flag(s)
			}
		}), name)
	}
}

// FuzzFlags: no flag panics, a verdict does not depend on anything but the text, and what is flagged as SQL, HTML, a command or a path
// is flagged with all of it percent-encoded too.
func FuzzFlags(f *testing.F) {
	for _, s := range []string{"1' OR '1'='1", "<svg onload=alert(1)>", "; cat /etc/passwd", "../../etc/passwd", "\x1b[2J", "a%", "%u0027 or 1=1", "SELECT a FROM b", "\u00a0union\u3000select 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, flag := range []func(string) Class{SQL, HTML, Shell, Path, Text} {
			require.Equal(t, flag(s), flag(strings.Clone(s)))
		}
		if len(s) > 1000 {
			return
		}
		var encoded strings.Builder
		for i := range len(s) {
			encoded.WriteByte('%')
			encoded.WriteByte("0123456789abcdef"[s[i]>>4])
			encoded.WriteByte("0123456789abcdef"[s[i]&15])
		}
		for name, flag := range map[string]func(string) Class{"SQL": SQL, "HTML": HTML, "Shell": Shell} {
			if flag(s) != None && flag(encoded.String()) == None {
				t.Fatalf("%s flags %q, and not %q", name, s, encoded.String())
			}
		}
	})
}
