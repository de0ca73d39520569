package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// item is an entry of an archive under test.
type item struct {
	name, content string
	mode          fs.FileMode
}

func makeZip(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, it := range items {
		h := &zip.FileHeader{Name: it.name, Method: zip.Deflate}
		if strings.HasSuffix(it.name, "/") {
			h.Method = zip.Store
		}
		if it.mode != 0 {
			h.SetMode(it.mode)
		}
		w, err := z.CreateHeader(h)
		require.NoError(t, err)
		_, err = io.WriteString(w, it.content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func makeTar(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, it := range items {
		h := &tar.Header{Name: it.name, Mode: 0o644, Size: int64(len(it.content)), Typeflag: tar.TypeReg}
		switch {
		case strings.HasSuffix(it.name, "/"):
			h.Typeflag = tar.TypeDir
		case it.mode&fs.ModeSymlink != 0:
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, it.content, 0
		case it.mode&fs.ModeIrregular != 0:
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, it.content, 0
		case it.mode&fs.ModeDevice != 0:
			h.Typeflag, h.Size = tar.TypeBlock, 0
		}
		require.NoError(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := io.WriteString(w, it.content)
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// extractors unpack items as each format does.
func extractors(t testing.TB) map[string]func(root *os.Root, l Limits, items ...item) (Summary, error) {
	return map[string]func(root *os.Root, l Limits, items ...item) (Summary, error){
		"zip": func(root *os.Root, l Limits, items ...item) (Summary, error) {
			data := makeZip(t, items...)
			return ExtractZip(bytes.NewReader(data), int64(len(data)), root, l)
		},
		"tar": func(root *os.Root, l Limits, items ...item) (Summary, error) {
			return ExtractTar(bytes.NewReader(makeTar(t, items...)), root, l)
		},
		"tar.gz": func(root *os.Root, l Limits, items ...item) (Summary, error) {
			return ExtractTar(bytes.NewReader(gz(t, makeTar(t, items...))), root, l)
		},
	}
}

func newRoot(t testing.TB) (*os.Root, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.Mkdir(dir, 0o700))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = root.Close() })
	return root, dir
}

func TestExtract(t *testing.T) {
	t.Parallel()
	inner := makeZip(t, item{name: "x"})
	for format, extract := range extractors(t) {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			root, dir := newRoot(t)
			sum, err := extract(root, Limits{}, item{name: "a/"}, item{name: "a/b.txt", content: "bee"}, item{name: "c/d/e", content: ""},
				item{name: "a..b", content: "dots within a name are none"}, item{name: "in.zip", content: string(inner)},
				item{name: "big", content: strings.Repeat("0123456789abcdef", 20000)})
			require.NoError(t, err)
			require.Equal(t, Summary{Files: 5, Directories: 3, Bytes: int64(3 + 27 + len(inner) + 320000), Nested: []string{"in.zip"}}, sum)
			text, err := os.ReadFile(filepath.Join(dir, "a", "b.txt"))
			require.NoError(t, err)
			require.Equal(t, "bee", string(text))
			require.NoError(t, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
				require.NoError(t, err)
				info, err := d.Info()
				require.NoError(t, err)
				require.Zero(t, info.Mode().Perm()&0o077, d.Name())
				return nil
			}))
			_, err = extract(root, Limits{}, item{name: "a/b.txt", content: "again"})
			require.ErrorIs(t, err, fs.ErrExist, "nothing is replaced")
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for format, extract := range extractors(t) {
		for _, tt := range []struct {
			name  string
			items []item
			want  error
		}{
			{"up", []item{{name: "../x"}}, ErrName},
			{"up later", []item{{name: "a/../../x"}}, ErrName},
			{"up within", []item{{name: "a/../x"}}, ErrName},
			{"absolute", []item{{name: "/x"}}, ErrName},
			{"twice a slash", []item{{name: "a//x"}}, ErrName},
			{"backslash", []item{{name: `..\x`}}, ErrName},
			{"drive", []item{{name: "C:x"}}, ErrName},
			{"stream", []item{{name: "x:y"}}, ErrName},
			{"device", []item{{name: "a/Nul.txt"}}, ErrName},
			{"trailing dot", []item{{name: "x."}}, ErrName},
			{"direction", []item{{name: "a\u202egpj.exe"}}, ErrName},
			{"line end", []item{{name: "a\nb"}}, ErrName},
			{"not UTF-8", []item{{name: "a\xff"}}, ErrName},
			{"twice", []item{{name: "x"}, {name: "x"}}, ErrDuplicate},
			{"twice but for case", []item{{name: "x/Straße"}, {name: "X/STRAßE"}}, ErrDuplicate},
			{"kelvin", []item{{name: "k"}, {name: "\u212a"}}, ErrDuplicate},
			{"file and directory", []item{{name: "x"}, {name: "x/y"}}, ErrDuplicate},
			{"directory and file", []item{{name: "x/y"}, {name: "x"}}, ErrDuplicate},
			{"link", []item{{name: "x", content: "/etc", mode: fs.ModeSymlink | 0o777}}, ErrKind},
			{"device file", []item{{name: "x", mode: fs.ModeDevice | 0o600}}, ErrKind},
			{"deep", []item{{name: strings.Repeat("d/", 40) + "x"}}, ErrLimit},
			{"long", []item{{name: strings.Repeat("d", 2000)}}, ErrLimit},
		} {
			if format == "zip" && tt.name == "hard link" || format != "zip" && tt.name == "not UTF-8" {
				continue // no such thing
			}
			t.Run(format+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				root, dir := newRoot(t)
				_, err := extract(root, Limits{}, tt.items...)
				require.ErrorIs(t, err, tt.want)
				for _, r := range err.Error() {
					require.NotContains(t, "\n\u202e", string(r))
				}
				outside, err := os.ReadDir(filepath.Dir(dir))
				require.NoError(t, err)
				require.Len(t, outside, 1, "nothing beside the directory")
			})
		}
	}
	root, _ := newRoot(t)
	_, err := extractors(t)["tar"](root, Limits{}, item{name: "x", content: "/etc/passwd", mode: fs.ModeIrregular})
	require.ErrorIs(t, err, ErrKind, "a hard link")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	mb := strings.Repeat("\x00", 1<<20)
	noise := func(n int) string { // hardly packs
		b := make([]byte, n)
		x := uint32(1)
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		return string(b)
	}
	for format, extract := range extractors(t) {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			for _, tt := range []struct {
				l     Limits
				items []item
				ok    bool
			}{
				{Limits{Entries: 2}, []item{{name: "a"}, {name: "b"}}, true},
				{Limits{Entries: 2}, []item{{name: "a"}, {name: "b"}, {name: "c"}}, false},
				{Limits{Entries: 2}, []item{{name: "a/b/c"}}, false}, // two directories that have no entry
				{Limits{File: 5}, []item{{name: "a", content: "12345"}}, true},
				{Limits{File: 5}, []item{{name: "a", content: "123456"}}, false},
				{Limits{Total: 9}, []item{{name: "a", content: "12345"}, {name: "b", content: "1234"}}, true},
				{Limits{Total: 9}, []item{{name: "a", content: "12345"}, {name: "b", content: "12345"}}, false},
				{Limits{}, []item{{name: "a", content: noise(3 << 20)}}, true},
			} {
				root, dir := newRoot(t)
				_, err := extract(root, tt.l, tt.items...)
				if tt.ok {
					require.NoError(t, err, tt)
				} else {
					require.ErrorIs(t, err, ErrLimit, tt)
					_, err := os.Stat(filepath.Join(dir, "c"))
					require.ErrorIs(t, err, fs.ErrNotExist)
				}
			}
			root, dir := newRoot(t)
			_, err := extract(root, Limits{}, item{name: "bomb", content: strings.Repeat(mb, 8)})
			if format == "tar" {
				require.NoError(t, err, "nothing is packed")
				return
			}
			require.ErrorIs(t, err, ErrLimit)
			require.ErrorContains(t, err, "200 times")
			_, err = os.Stat(filepath.Join(dir, "bomb"))
			require.ErrorIs(t, err, fs.ErrNotExist, "what was written of it is removed")
		})
	}
	for _, bad := range []Limits{{Entries: -1}, {Ratio: -1}, {File: -1}} {
		_, err := CheckZip(bytes.NewReader(nil), 0, bad)
		require.ErrorContains(t, err, "negative")
	}
}

// rawZip writes a zip file whose headers say what they are told.
func rawZip(count int, entry func(i int) (name string, data []byte, declared uint32, offset int)) []byte {
	var body, dir bytes.Buffer
	le := func(b *bytes.Buffer, values ...any) {
		for _, v := range values {
			_ = binary.Write(b, binary.LittleEndian, v)
		}
	}
	for i := range count {
		name, data, declared, at := entry(i)
		if at < 0 {
			at = body.Len()
			le(&body, uint32(0x04034b50), uint16(20), uint16(0), uint16(0), uint32(0), crc32.ChecksumIEEE(data), uint32(len(data)), declared, uint16(len(name)), uint16(0))
			body.WriteString(name)
			body.Write(data)
		}
		le(&dir, uint32(0x02014b50), uint16(20), uint16(20), uint16(0), uint16(0), uint32(0), crc32.ChecksumIEEE(data), uint32(len(data)), declared,
			uint16(len(name)), uint16(0), uint16(0), uint16(0), uint16(0), uint32(0), uint32(at))
		dir.WriteString(name)
	}
	at := body.Len()
	body.Write(dir.Bytes())
	le(&body, uint32(0x06054b50), uint16(0), uint16(0), uint16(count), uint16(count), uint32(dir.Len()), uint32(at), uint16(0))
	return body.Bytes()
}

func TestLyingZip(t *testing.T) {
	t.Parallel()
	check := func(data []byte, l Limits) error {
		_, err := CheckZip(bytes.NewReader(data), int64(len(data)), l)
		return err
	}
	plain := rawZip(3, func(i int) (string, []byte, uint32, int) { return fmt.Sprint("f", i), []byte("data"), 4, -1 })
	require.NoError(t, check(plain, Limits{}))
	require.ErrorIs(t, check(rawZip(3, func(i int) (string, []byte, uint32, int) { return fmt.Sprint("f", i), []byte("data"), 4, min(0, i-1) }), Limits{}),
		ErrFormat, "entries that share bytes")
	require.ErrorIs(t, check(rawZip(1, func(int) (string, []byte, uint32, int) { return "f", []byte("data"), 1 << 31, -1 }), Limits{File: 1 << 30}), ErrLimit)
	many := rawZip(70_000, func(i int) (string, []byte, uint32, int) { return fmt.Sprint(i), nil, 0, 0 })
	require.ErrorIs(t, check(many, Limits{Name: 8}), ErrLimit, "more entries than the end says")
	require.ErrorIs(t, check(nil, Limits{}), ErrFormat)
	require.ErrorIs(t, check(plain[:len(plain)-30], Limits{}), ErrFormat)
	for i := range plain { // no damage panics; what is unpacked is what the checksum says
		bad := bytes.Clone(plain)
		bad[i] ^= 0x40
		root, dir := newRoot(t)
		if _, err := ExtractZip(bytes.NewReader(bad), int64(len(bad)), root, Limits{}); err == nil {
			require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					text, rerr := os.ReadFile(name)
					require.NoError(t, rerr)
					require.Equal(t, "data", string(text))
				}
				return err
			}))
		}
	}
}

func TestBadTar(t *testing.T) {
	t.Parallel()
	root, _ := newRoot(t)
	for _, data := range [][]byte{[]byte("\x1f\x8bxx"), []byte(strings.Repeat("x", 600)), makeTar(t, item{name: "x", content: "abc"})[:514]} {
		_, err := ExtractTar(bytes.NewReader(data), root, Limits{})
		require.ErrorIs(t, err, ErrFormat)
	}
	packed := gz(t, makeTar(t, item{name: "y", content: strings.Repeat("abc", 10000)}))
	_, err := ExtractTar(bytes.NewReader(packed[:len(packed)/2]), root, Limits{})
	require.ErrorIs(t, err, ErrFormat)
	packed[len(packed)-6]++ // the checksum
	_, err = ExtractTar(bytes.NewReader(packed), root, Limits{})
	require.ErrorIs(t, err, ErrFormat)
	sum, err := ExtractTar(bytes.NewReader(makeTar(t, item{name: "./"}, item{name: "./z", content: "z"})), root, Limits{})
	require.NoError(t, err)
	require.Equal(t, 1, sum.Files)

	var holes bytes.Buffer
	w := tar.NewWriter(&holes)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "h", Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: map[string]string{"SUREFOOT.x": "1"}}))
	require.NoError(t, w.Close())
	lied := bytes.ReplaceAll(holes.Bytes(), []byte("SUREFOOT.x=1"), []byte("GNU.sparse.x"))
	_, err = ExtractTar(bytes.NewReader(lied), root, Limits{})
	require.Error(t, err)
	require.True(t, sparse(&tar.Header{PAXRecords: map[string]string{"GNU.sparse.major": "1"}}))
}

func TestRead(t *testing.T) {
	t.Parallel()
	data := makeZip(t, item{name: "a", content: "content"}, item{name: "bomb", content: strings.Repeat("\x00", 4<<20)})
	files, err := OpenZip(bytes.NewReader(data), int64(len(data)), Limits{})
	require.NoError(t, err)
	r, err := OpenFile(files[0], Limits{})
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "content", string(text))
	require.NoError(t, r.Close())
	r, err = OpenFile(files[1], Limits{Ratio: 2000, File: 1 << 20})
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, r)
	require.ErrorIs(t, err, ErrLimit)
	_, err = OpenFile(files[0], Limits{Ratio: -1})
	require.Error(t, err)
	g, err := Gunzip(bytes.NewReader(gz(t, make([]byte, 4<<20))), Limits{})
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, g)
	require.ErrorIs(t, err, ErrLimit)
}

// FuzzExtract: nothing outside the directory, nothing beyond the limits, no panic.
func FuzzExtract(f *testing.F) {
	f.Add(makeZip(f, item{name: "a/b", content: "x"}))
	f.Add(makeTar(f, item{name: "a/b", content: "x"}))
	f.Add(gz(f, makeTar(f, item{name: "a/b", content: "x"})))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := Limits{Entries: 20, File: 1 << 16, Total: 1 << 17}
		for _, extract := range []func(*os.Root) (Summary, error){
			func(root *os.Root) (Summary, error) {
				return ExtractZip(bytes.NewReader(data), int64(len(data)), root, l)
			},
			func(root *os.Root) (Summary, error) { return ExtractTar(bytes.NewReader(data), root, l) },
		} {
			root, dir := newRoot(t)
			sum, err := extract(root)
			if err == nil {
				require.LessOrEqual(t, sum.Bytes, l.Total)
			}
			outside, rerr := os.ReadDir(filepath.Dir(dir))
			require.NoError(t, rerr)
			require.Len(t, outside, 1)
			require.False(t, err != nil && errors.Is(err, fs.ErrInvalid))
			_ = root.Close()
		}
	})
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"a/b", "../x", `a\b`, "COM1.txt", "a/./b", "/", "", "x/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckName(name) == nil {
			require.True(t, filepath.IsLocal(filepath.FromSlash(name)), "%q", name)
		}
	})
}
