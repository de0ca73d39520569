package sink

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"a/b.txt": "a/b.txt", "a..b": "a..b", "./a//b": "a/b", "a/../b": "b", `a\b`: "a/b", "...a": "...a", "100%": "100%", "a%20b": "a%20b", "日本/é": "日本/é", "console": "console", "com10": "com10", ".env": ".env"} {
		got, err := Path(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"../x", "%2e%2e/x", "%252e%252e%252fx", "%25252e%25252e/x", "/etc/passwd", `\\host\share`, `C:\x`, "c:x", "a/../../b", `..\x`, "..", "a%2fb/../%2e%2e/x", "5c/../%2fbx", "a%5cb/../%2e%2e/x", "%2fetc", "..%2fx", "a/%2e%2e/%2e%2e/%2e%2e/x",
		"%2e%2e/x%", "%2e%2e/%zz", "%252e%252e%255cx%4", "%%32%65%%32%65/x"} {
		_, err := Path(text)
		require.ErrorIs(t, err, ErrEscapes, text)
	}
	for _, text := range []string{"", ".", "a/..", "a\x00b", "a\nb", "con", "NUL.txt", "a/COM1", "lpt¹.x", "a.", "b ", "a/ b", "ab:c", "a|b", "x\u202ey", "\xff", strings.Repeat("x", 256), "a/*", strings.Repeat("x/", 2048) + "x"} {
		_, err := Path(text)
		require.ErrorIs(t, err, ErrText, "%q", text)
	}
	for text, want := range map[string]error{"a.txt": nil, "a/b": ErrEscapes, `a\b`: ErrEscapes, "..": ErrEscapes, ".": ErrEscapes, "": ErrText, "aux": ErrText, "a..b": nil} {
		_, err := Name(text)
		require.ErrorIs(t, err, want, text)
	}
}

// TestNothingEscapes opens every text below a directory beside which there is a file that must never be read, in a way that
// shows if it is.
func TestNothingEscapes(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b", "root")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	for _, name := range []string{filepath.Join(top, "x"), filepath.Join(top, "passwd"), filepath.Join(top, "a", "passwd"), filepath.Join(top, "a", "b", "x")} {
		require.NoError(t, os.WriteFile(name, []byte("canary"), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "inside"), []byte("inside"), 0o600))
	require.NoError(t, os.Symlink("../x", filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink("/etc", filepath.Join(dir, "etc")))
	require.NoError(t, os.Symlink("inside", filepath.Join(dir, "fine")))
	r, err := OpenRoot(dir)
	require.NoError(t, err)
	defer r.Close()
	opened := 0
	for _, s := range append(texts(t), "../x", "../../passwd", "sub/../../x", filepath.Join(top, "x"), "link", "etc/passwd", "sub/../link", "inside", "./inside", "sub/../inside", "fine") {
		cleaned, err := Path(s)
		for layer := cleaned; err == nil; { // a reader that decodes, and joins without care, stays below too
			inside, relErr := filepath.Rel(dir, filepath.Join(dir, strings.ReplaceAll(layer, `\`, "/")))
			if relErr != nil || inside == ".." || strings.HasPrefix(inside, ".."+string(filepath.Separator)) || strings.HasPrefix(layer, "/") {
				t.Fatalf("%q as %q leads to %q", s, cleaned, inside)
			}
			if lenient := unescape(layer); lenient != layer {
				layer = lenient
				continue
			}
			break
		}
		for _, name := range []string{s, cleaned} {
			if name == "" {
				continue
			}
			f, openErr := r.Open(name)
			if openErr != nil {
				continue
			}
			if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
				content, err := io.ReadAll(f)
				require.NoError(t, err)
				require.Equal(t, "inside", string(content), "%q", name)
			}
			require.NoError(t, f.Close())
			opened++
		}
	}
	require.GreaterOrEqual(t, opened, 8, "the test can open files")
	for _, name := range []string{"../x", "/etc/passwd", "link", "etc/passwd", "sub/../../x"} {
		_, err := r.Open(name)
		require.ErrorIs(t, err, ErrEscapes, name)
		_, err = r.Create(name)
		require.Error(t, err, name)
	}
	_, err = r.Open("nothing")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.False(t, errors.Is(err, ErrEscapes))
	f, err := r.Open("fine")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, r.MakeAll("new/dir"))
	f, err = r.Create("new/dir/file")
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, f.Close())
	_, err = r.Create("new/dir/file")
	require.ErrorIs(t, err, os.ErrExist)
	require.NoError(t, r.Remove("new/dir/file"))
	require.ErrorIs(t, r.Remove("../x"), ErrEscapes)
	content, err := r.FS().Open("inside")
	require.NoError(t, err)
	require.NoError(t, content.Close())
	_, err = OpenRoot(filepath.Join(top, "nothing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestZeroRoot(t *testing.T) {
	t.Parallel()
	for _, r := range []*Root{nil, {}} {
		_, err := r.Open("x")
		require.ErrorIs(t, err, os.ErrClosed)
		_, err = r.Create("x")
		require.ErrorIs(t, err, os.ErrClosed)
		_, err = r.FS().Open("x")
		require.ErrorIs(t, err, os.ErrClosed)
		require.ErrorIs(t, r.MakeAll("x"), os.ErrClosed)
		require.ErrorIs(t, r.Remove("x"), os.ErrClosed)
		require.NoError(t, r.Close())
	}
}
