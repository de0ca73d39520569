package modelfile

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/validate"
	"github.com/surefoot-ml/surefoot/validate/archive"
)

func inspect(t testing.TB, data []byte, opts Options) Report {
	t.Helper()
	rep, err := Inspect(bytes.NewReader(data), int64(len(data)), opts)
	require.NoError(t, err)
	return rep
}

func codes(rep Report) (out []string) {
	for _, p := range rep.Problems {
		out = append(out, p.Code)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// readFixture reads what Python 3.11 and numpy 1.24 wrote, and what Python's own unpickler imported when it was given
// classes that do nothing.
func readFixture(t testing.TB, name string, v any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, v))
}

type pickled struct {
	Name    string
	Data    []byte
	Imports []string
	OK      bool
}

func TestPickles(t *testing.T) {
	t.Parallel()
	var all []pickled
	readFixture(t, "pickles.json", &all)
	require.Greater(t, len(all), 80)
	for _, p := range all {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			// Protocols 0 and 1 rebuild objects by a function that takes any class.
			rep := inspect(t, p.Data, Options{Allow: []string{"copy_reg._reconstructor", "copyreg._reconstructor"}})
			require.Equal(t, Pickle, rep.Format)
			if strings.HasPrefix(p.Name, "escaped") || strings.HasPrefix(p.Name, "ext") || strings.HasPrefix(p.Name, "partial") {
				require.Error(t, rep.Err()) // a name that is not spelled out
				return
			}
			require.Equal(t, p.Imports, nilIfEmpty(rep.Imports))
			if allowed := !slices.ContainsFunc(p.Imports, func(name string) bool {
				return !slices.Contains(append(DefaultAllow(), "copy_reg._reconstructor", "copyreg._reconstructor"), name)
			}); allowed && p.Name != "dup" {
				require.NoError(t, rep.Err())
			} else {
				require.Error(t, rep.Err())
			}
			if !p.OK {
				require.Error(t, rep.Err())
				require.Contains(t, codes(rep), CodeImport)
			}
		})
	}
}

func nilIfEmpty(s []string) []string {
	if len(s) == 0 {
		return []string{}
	}
	return s
}

// TestCutAndChanged: a pickle that is cut anywhere is refused; one with a changed byte never loses an import unnoticed that
// Python would run into.
func TestCutAndChanged(t *testing.T) {
	t.Parallel()
	var all []pickled
	readFixture(t, "pickles.json", &all)
	for _, p := range all {
		if len(p.Data) > 300 {
			continue
		}
		for n := range p.Data {
			require.Error(t, errOf(inspect(t, p.Data[:n], Options{})), "%s cut at %d", p.Name, n)
		}
	}
}

func errOf(rep Report) error { return rep.Err() }

func TestAllow(t *testing.T) {
	t.Parallel()
	data := []byte("\x80\x02cmylib.vocab\nVocabulary\n.")
	require.Error(t, errOf(inspect(t, data, Options{})))
	for allow, ok := range map[string]bool{"mylib.vocab.Vocabulary": true, "mylib.vocab.*": true, "mylib.*": false, "mylib.vocab.Other": false} {
		rep := inspect(t, data, Options{Allow: []string{allow}})
		require.Equal(t, ok, rep.Err() == nil, allow)
	}
	for _, bad := range []string{"", "os", "*", "os.", ".system", "*.system", "a b.c", "os.*x"} {
		_, err := Inspect(bytes.NewReader(data), int64(len(data)), Options{Allow: []string{bad}})
		require.ErrorContains(t, err, "Options.Allow", bad)
	}
	for _, harmful := range []string{"builtins.getattr", "torch.storage._load_from_bytes", "builtins.eval", "numpy.load", "torch.load", "torch.jit.load",
		"numpy.testing._private.utils.runstring", "_pickle.loads", "importlib.import_module", "torch.hub.load", "builtins.exec", "operator.attrgetter"} {
		require.NotContains(t, DefaultAllow(), harmful)
	}
	// Errors name what was imported, on one line, whatever its characters.
	rep := inspect(t, []byte("\x80\x02cos\u202e\x1b[2J\nsystem\n."), Options{})
	require.NotContains(t, rep.Err().Error(), "\x1b")
	require.NotContains(t, rep.Err().Error(), "\u202e")
}

// torchZip is a zip file as torch.save writes it.
func torchZip(t testing.TB, entries map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		require.NoError(t, err)
		_, err = io.WriteString(w, content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

const (
	stateDict = "\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n" +
		"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtRu."
	evil = "\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R."
)

func TestTorch(t *testing.T) {
	t.Parallel()
	good := map[string]string{"m/data.pkl": stateDict, "m/data/0": "12345678", "m/version": "3\n", "m/byteorder": "little"}
	with := func(name, content string) map[string]string {
		m := map[string]string{name: content}
		for k, v := range good {
			if _, there := m[k]; !there {
				m[k] = v
			}
		}
		return m
	}
	rep := inspect(t, torchZip(t, good), Options{})
	require.NoError(t, rep.Err())
	require.Equal(t, Torch, rep.Format)
	require.Equal(t, []string{"collections.OrderedDict", "torch.FloatStorage", "torch._utils._rebuild_tensor_v2"}, rep.Imports)
	for _, tt := range []struct {
		name string
		data []byte
		code string
	}{
		{"evil", torchZip(t, with("m/data.pkl", evil)), CodeImport},
		{"evil elsewhere", torchZip(t, with("m/constants.pkl", evil)), CodeImport},
		{"evil beside", torchZip(t, with("other/x.pickle", evil)), CodeImport},
		{"evil behind", torchZip(t, with("m/data.pkl", stateDict+evil)), CodeImport},
		{"script", torchZip(t, with("m/code/__torch__.py", "def f(): pass")), CodeCode},
		{"broken", torchZip(t, with("m/data.pkl", stateDict[:40])), CodeStructure},
		{"up", torchZip(t, with("../m/data.pkl", stateDict)), CodeStructure},
		{"twice", torchZip(t, with("m/DATA.pkl", stateDict)), CodeDuplicate},
		{"a document", torchZip(t, map[string]string{"word/document.xml": "x"}), CodeUnknown},
		{"cut", torchZip(t, good)[:300], CodeStructure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rep := inspect(t, tt.data, Options{})
			require.Error(t, rep.Err())
			require.Contains(t, codes(rep), tt.code, "%v", rep.Problems)
		})
	}
	var deflated bytes.Buffer
	z := zip.NewWriter(&deflated)
	w, err := z.Create("m/data.pkl")
	require.NoError(t, err)
	_, err = io.WriteString(w, "\x80\x02B\x00\x00\x00\x08"+strings.Repeat("\x00", 128<<20)+".")
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.Contains(t, codes(inspect(t, deflated.Bytes(), Options{Archive: archive.Limits{File: 1 << 20}})), CodeLimit)
	require.Contains(t, codes(inspect(t, deflated.Bytes(), Options{})), CodeStructure, "a bomb ends the pickle")

	legacy := "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}." + stateDict + "\x80\x02]." + "\x02\x00\x00\x00\x00\x00\x00\x0012345678"
	rep = inspect(t, []byte(legacy), Options{})
	require.NoError(t, rep.Err())
	require.Empty(t, rep.Problems)
	require.Equal(t, TorchLegacy, rep.Format)
	require.Error(t, errOf(inspect(t, []byte(strings.Replace(legacy, stateDict, evil, 1)), Options{})), "in the fourth pickle")
	require.Error(t, errOf(inspect(t, []byte(legacy[:40]), Options{})))
}

func TestArrays(t *testing.T) {
	t.Parallel()
	var all map[string]string
	readFixture(t, "arrays.json", &all)
	for name, text := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := base64.StdEncoding.DecodeString(text)
			require.NoError(t, err)
			rep := inspect(t, data, Options{})
			switch {
			case strings.Contains(name, "evil"):
				require.Contains(t, codes(rep), CodeImport)
				require.Error(t, rep.Err())
			case strings.Contains(name, "object"):
				require.NoError(t, rep.Err())
				require.Equal(t, []string{CodeCode}, codes(rep))
			default:
				require.NoError(t, rep.Err())
				require.Empty(t, rep.Problems)
				require.NotZero(t, rep.Tensors)
			}
			if strings.Contains(name, "npz") {
				require.Equal(t, NPZ, rep.Format)
				return
			}
			require.Equal(t, NPY, rep.Format)
			for n := range data {
				require.Error(t, errOf(inspect(t, data[:n], Options{})), "cut at %d", n)
			}
			require.NotEmpty(t, inspect(t, append(slices.Clone(data), 0), Options{}).Problems)
		})
	}
	npy := func(header string, rest string) []byte {
		head := append([]byte("\x93NUMPY\x01\x00"), binary.LittleEndian.AppendUint16(nil, uint16(len(header)))...)
		return append(append(head, header...), rest...)
	}
	for _, header := range []string{
		"", "x", "{", "{}", "{'descr': 'O'}", "{'descr': '<f4,O', 'fortran_order': False, 'shape': (1,)}", "{'descr': 'object', 'fortran_order': False, 'shape': (1,)}",
		"{'descr': '\\x4f', 'fortran_order': False, 'shape': (1,)}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
		"{'descr': '<f4', 'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': " + strings.Repeat("(", 200), "{'descr': [('a', '<f4', (2**9,))], 'fortran_order': False, 'shape': ()}",
		"{'descr': __import__('os'), 'fortran_order': False, 'shape': ()}",
	} {
		require.Error(t, errOf(inspect(t, npy(header, "1234"), Options{})), header)
	}
	require.NoError(t, errOf(inspect(t, npy("{'shape': (1L,), 'fortran_order': True, 'descr': \"<f4\"}\n", "1234"), Options{})))
}

func TestDigest(t *testing.T) {
	t.Parallel()
	data := []byte("\x80\x02N.")
	sum := sha256.Sum256(data)
	want := hex.EncodeToString(sum[:])
	for _, form := range []string{want, "sha256:" + want, strings.ToUpper(want)} {
		rep := inspect(t, data, Options{SHA256: form})
		require.NoError(t, rep.Err())
		require.Equal(t, want, rep.SHA256)
	}
	rep := inspect(t, data, Options{SHA256: strings.Repeat("0", 64)})
	require.ErrorIs(t, rep.Err(), ErrDigest)
	var ps validate.Problems
	require.ErrorAs(t, rep.Err(), &ps)
	for _, bad := range []string{"x", want[:10], "md5:" + want} {
		_, err := Inspect(bytes.NewReader(data), int64(len(data)), Options{SHA256: bad})
		require.ErrorContains(t, err, "64 hexadecimal digits")
	}
	require.NoError(t, errOf(inspect(t, data, Options{Formats: []Format{Pickle}})))
	require.ErrorContains(t, errOf(inspect(t, data, Options{Formats: []Format{Safetensors, GGUF}})), "format")
}

type badDisk struct{ at int64 }

func (b badDisk) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, errors.New("bad sector")
	}
	copy(p, []byte("\x80\x02N")[off:])
	return len(p), nil
}

func TestErrors(t *testing.T) {
	t.Parallel()
	_, err := Inspect(badDisk{2}, 100, Options{})
	require.ErrorContains(t, err, "bad sector", "a bad disk is not a bad file")
	_, err = InspectFile(t.TempDir(), Options{})
	require.ErrorContains(t, err, "regular file")
	_, err = InspectFile(filepath.Join(t.TempDir(), "none"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, data := range []string{"", "x", "hello, world", "{\"a\": 1}", "\x89HDF\r\n\x1a\n", "PK", "<html>"} {
		rep := inspect(t, []byte(data), Options{})
		require.Error(t, rep.Err(), data)
		require.Equal(t, Unknown, rep.Format)
	}
	many := "\x80\x02"
	for i := range 500 {
		many += fmt.Sprintf("cos\nf%d\n0", i)
	}
	rep := inspect(t, []byte(many+"N."), Options{})
	require.LessOrEqual(t, len(rep.Problems), maxProblems+1)
	require.True(t, slices.ContainsFunc(rep.Problems, func(p validate.Problem) bool { return p.Value == "500" }))
}

// TestBombs: what is kept of a file is bounded, and a huge length in it allocates nothing.
func TestBombs(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		"\x80\x02" + strings.Repeat("N", maxStack+2) + ".",
		"\x80\x02" + strings.Repeat("(", maxStack+2) + ".",
		"\x80\x04N" + strings.Repeat("\x94", maxStack+2) + ".",
		"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "\x80\x04\x8e\x00\x00\x00\x00\x00\x00\x00\x10.", "X\xff\xff\xff\xff.",
		"c" + strings.Repeat("x", maxLine+70000), "\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
	} {
		require.Error(t, errOf(inspect(t, []byte(data), Options{})))
	}
}

func FuzzInspect(f *testing.F) {
	var all []pickled
	readFixture(f, "pickles.json", &all)
	for _, p := range all {
		if len(p.Data) < 300 {
			f.Add(p.Data)
		}
	}
	var arrays map[string]string
	readFixture(f, "arrays.json", &arrays)
	for _, text := range arrays {
		data, err := base64.StdEncoding.DecodeString(text)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add(torchZip(f, map[string]string{"m/data.pkl": stateDict}))
	f.Add(safe(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(newGGUF().key("general.alignment", 4, uint32(32)).bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		rep := inspect(t, data, Options{})
		if rep.Err() == nil {
			require.NotEqual(t, Unknown, rep.Format)
			for _, name := range rep.Imports {
				require.Contains(t, DefaultAllow(), name)
			}
		}
		_, err := json.Marshal(rep)
		require.NoError(t, err)
	})
}
