package threat

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPathLeavesTheDirectory(t *testing.T) {
	t.Parallel()
	for rule, texts := range map[string][]string{
		"climbs":              {"..", "../x", "../../", "a/../../x", `..\x`, `a\..\..\x`, "/../x", "./../x", "a//../../x", "x/../../a", "C:../x", "file=../x", "..;/..;/x", "../..%3bx"},
		"percent":             {"%2e%2e/x", "%2e%2e%2fx", "..%2fx", "..%5cx", "%252e%252e%252fx", "%u002e%u002e%u2215x", ".%2e/x"},
		"other encodings":     {"..%c0%afx", "%c0%ae%c0%ae/x", "%e0%80%ae%e0%80%ae/x", "%c0%2e%c0%2e/x", "..%c1%9cx", "..%c0%9vx", "..%c1%pcx", "..%f0%80%80%afx", "．．／x", "..∕x", "..%uF025x", "0x2e0x2e0x2fx", "..0x5cx", "..2f..2fx"},
		"once filtered":       {"....//....//x", `....\\....\\x`, ".../.../x", "..././x", "............../x"},
		"another machine":     {`\\10.0.0.1\share\x`, `\\host.example\c$\x`, `\\?\C:\x`, `\\.\PhysicalDrive0`},
		"names in an archive": {"../../etc/cron.d/x", `..\..\windows\x`, "a/b/../../../x"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			sinkRows(t, Path, Traversal, texts...)
		})
	}
	sinkRows(t, Path, Control, "a.php\x00.jpg", "a.php%00.jpg")
}

func TestPathOfTheSystem(t *testing.T) {
	t.Parallel()
	for rule, texts := range map[string][]string{
		"tree":    {"/etc/passwd", "//etc/passwd", "/etc/cron.d/x", "/proc/self/environ", "/sys/class/net", "/dev/sda", "/boot/grub/grub.cfg", "/var/log/auth.log", "/var/lib/x", "/root/.bashrc", "/private/etc/hosts", "%2fetc%2fhostname"},
		"server":  {"/opt/any/conf/httpd.conf", "/usr/local/any/php.ini", "/srv/any/access_log", "/usr/local/x/error.log", "D:/any/my.cnf"},
		"secret":  {".ssh", "a/.htpasswd", "/home/a/.bash_history", "~/.ssh/config", "/home/a/.aws/credentials", "x/id_rsa", ".netrc"},
		"probe":   {"x/etc/passwd", "....etc/shadow.png", "a/proc/self/maps"},
		"windows": {`C:\Windows\win.ini`, "c:/boot.ini", `WINNT\x`, `\Program Files\a\b.dll`, `C:\Users\a\ntuser.dat`, "windows/system32/config/sam"},
		"device":  {"NUL.txt", "CON.", "PRN:", "COM1", "a/lpt1.txt", "aux/COM3.log", "a.txt::$DATA", "CONIN$"},
		"wrapper": {"php://filter/resource=x", "phar://x", "expect://id", "data://text/plain,x", "zip://a.zip#b", "jar:file://a!/b", "gopher://x", "file:///etc/passwd", "file:/etc/passwd"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			sinkRows(t, Path, System, texts...)
		})
	}
}

func TestPathHarmless(t *testing.T) {
	t.Parallel()
	sinkRows(t, Path, None,
		"", "a", "a/b", "a/../b", "a..b", "a..", "...", "....", "a/...", "./...", "v1..v2", "0..2f", "x = a[1..2]", "wait... what", "a/b..c/d", ".hidden", ".gitignore", "a/./b", "dir/", "~", "~/x",
		"/data/run/x.bin", "/usr/share/x.conf", "/usr/lib/a.so", "/data/run/train.log", "/workspace/config.ini", "/home/a/b.conf", "/home/a/x.py", "/tmp/x", "/var/folders/x", "/mnt/d", "/opt/a/b", "/dev/null", "/dev/shm/x", `C:\Users\a\x.csv`, "D:/data/train.csv",
		"src/aux.c", "con.py", "aux", "null", "com/example", "windows", "my windows/x", "etc", "proc", "a.log", "httpd.conf", "etc and so on", "/s", "/etc",
		"https://example.com/etc/x", "s3://bucket/x", "gs://b/x", "hdfs://n/x", "file:///data/x.csv", "zip://a.csv::s3://b/a.zip", "data:image/png;base64,x",
		"import x from '../lib/x'", "see ../README.md for it", `require("../x")`, `\alpha\beta`, `\\ a line break`, "a—b – c", "日本語/ファイル.txt", "0x2e", "0x5c + 1", "100%", "%d/%s",
	)
}

// TestPathOfOneTrap: judging the path after it was resolved never sees that it climbed, and a name with two dots is no climb.
func TestPathOfOneTrap(t *testing.T) {
	t.Parallel()
	sinkRows(t, Path, Traversal, "../x", "%2e%2e/x", "a/../../x")
	sinkRows(t, Path, None, "a..b", "a/..b/c", "b..")
}

// TestPathAgainstIsLocal: every generated path that is not local, and does not merely begin with a slash, is flagged as climbing, and
// no local one is.
func TestPathAgainstIsLocal(t *testing.T) {
	t.Parallel()
	elements := []string{"..", ".", "", "a", "b.c", "..d", "e..", "...x"}
	n := 0
	for code := range 8 * 8 * 8 * 8 {
		parts := make([]string, 4)
		for i := range parts {
			parts[i] = elements[code%8]
			code /= 8
		}
		p := strings.Join(parts, "/")
		relative := strings.TrimLeft(p, "/")
		if relative == "" {
			continue
		}
		want := None
		if !filepath.IsLocal(filepath.FromSlash(relative)) {
			want = Traversal
			n++
		}
		require.Equal(t, want, Path(p), p)
		if !strings.HasPrefix(p, "//") { // \\b.c\a is another machine's
			require.Equal(t, want, Path(strings.ReplaceAll(p, "/", `\`)), p)
		}
		if want == Traversal {
			require.Equal(t, want, Path(strings.ReplaceAll(p, "/", "%2f")), p)
			require.Equal(t, want, Path(strings.ReplaceAll(p, ".", "%252E")), p)
		}
	}
	require.NotZero(t, n)
}
