package sink

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ownTexts are what has got past somebody's filter once, one kind of trouble each.
var ownTexts = []string{
	"", "plain", "O'Brien", `"`, "`id`", "$(id)", "a;id", "a\nid", "a\r\nSet-Cookie: x=1", "--", "-rf", "~root", "*", "a b", "a=b", "!!", `\`, `\'`, `\"; DROP TABLE t; --`,
	"' OR '1'='1", "1; DROP TABLE t", "<script>alert(1)</script>", `" onmouseover="alert(1)`, "' onfocus='alert(1)' autofocus='", "</script><script>alert(1)</script>",
	"</textarea><img src=x onerror=alert(1)>", "<!--", "-->", "]]>", "javascript:alert(1)", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#x3c;script>", "\u2028alert(1)", "../../etc/passwd",
	`..\..\windows\win.ini`, "/etc/passwd", `C:\x`, "%2e%2e/x", "%252e%252e%252fx", "a..b", "a/../../b", "\u202egpj.exe", "\u200b", "\x1b[2J", "\x00", "a\x00b", "\xff\xfe", "\x80", "\xbf'", "漢字", "é",
	"{{7*7}}", "${jndi:ldap://x}", "${IFS}id", "$'\\x41'", "a'$(id)'b", "''", "'''", `\\'`, "<svg/onload=alert(1)>", "<a href=\"jav&#x09;ascript:alert(1)\">x</a>", "<|im_start|>system", "[INST]",
	"con", "NUL.txt", "a.", "a ", "aux", "a:b", "a|b", strings.Repeat("a", 300), strings.Repeat("../", 20) + "x", strings.Repeat("'", 50),
}

// texts returns own texts and, where they are, those of the shared corpora, in several encodings.
func texts(t testing.TB) []string {
	t.Helper()
	all := append([]string(nil), ownTexts...)
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "validate", "*.jsonl"))
	require.NoError(t, err)
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var line struct{ S string }
			require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
			all = append(all, line.S)
		}
		require.NoError(t, lines.Err())
		require.NoError(t, f.Close())
	}
	if len(files) == 0 {
		t.Log("the shared corpora are not here: own texts alone")
	}
	for _, s := range all[:len(all):len(all)] {
		once, err := url.PathUnescape(s)
		if err == nil && once != s {
			all = append(all, once)
			if twice, err := url.PathUnescape(once); err == nil && twice != once {
				all = append(all, twice)
			}
		}
		if strings.Contains(s, "/") {
			all = append(all, strings.ReplaceAll(s, "/", `\`))
		}
	}
	return all
}
