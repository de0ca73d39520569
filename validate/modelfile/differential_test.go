package modelfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	evilPickle  = "\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R."
	cleanPickle = "\x80\x02N."
)

func array(descr string, content string) string {
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (1,), }", descr)
	for (10+len(head)+1)%64 != 0 {
		head += " "
	}
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(head)+1))) + head + "\n" + content
}

// zipOf writes entries in their order.
func zipOf(t testing.TB, entries ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e[0], Method: zip.Store})
		require.NoError(t, err)
		_, err = w.Write([]byte(e[1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// twoDirectories is a zip whose short end leads to one directory and whose 64-bit end to another.
func twoDirectories(name, short, long string) []byte {
	var body, a, b []byte
	le := binary.LittleEndian
	add := func(dir []byte, content string) []byte {
		local := make([]byte, 30)
		le.PutUint32(local, 0x04034b50)
		local[4] = 20
		le.PutUint32(local[14:], crc32.ChecksumIEEE([]byte(content)))
		le.PutUint32(local[18:], uint32(len(content)))
		le.PutUint32(local[22:], uint32(len(content)))
		le.PutUint16(local[26:], uint16(len(name)))
		central := make([]byte, 46)
		le.PutUint32(central, 0x02014b50)
		central[4], central[6] = 20, 20
		copy(central[16:28], local[14:26])
		le.PutUint16(central[28:], uint16(len(name)))
		le.PutUint32(central[42:], uint32(len(body)))
		body = append(append(append(body, local...), name...), content...)
		return append(append(dir, central...), name...)
	}
	a, b = add(a, short), add(b, long)
	offsetA := len(body)
	offsetB := offsetA + len(a) + 8
	file := append(append(append(body, a...), "GAPGAPGA"...), b...)
	end64 := make([]byte, 56)
	le.PutUint32(end64, 0x06064b50)
	le.PutUint64(end64[4:], 44)
	end64[12], end64[14] = 45, 45
	le.PutUint64(end64[24:], 1)
	le.PutUint64(end64[32:], 1)
	le.PutUint64(end64[40:], uint64(len(b)))
	le.PutUint64(end64[48:], uint64(offsetB))
	locator := make([]byte, 20)
	le.PutUint32(locator, 0x07064b50)
	le.PutUint64(locator[8:], uint64(len(file)))
	locator[16] = 1
	end := make([]byte, 22)
	le.PutUint32(end, 0x06054b50)
	end[8], end[10] = 1, 1
	le.PutUint32(end[12:], uint32(len(a)))
	le.PutUint32(end[16:], uint32(offsetA))
	return append(append(append(file, end64...), locator...), end...)
}

// legacyTar is what torch.load takes for a tar file, and a reader of pickles for the five of torch's older format.
func legacyTar() []byte {
	head := make([]byte, 512)
	copy(head, "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")
	copy(head[100:], "0000600\x000000000\x000000000\x0000000000000\x0000000000000\x00        0")
	copy(head[257:], "ustar\x0000")
	sum := 0
	for _, c := range head {
		sum += int(c)
	}
	copy(head[148:], fmt.Sprintf("%06o\x00 ", sum))
	return head
}

// TestReadersDisagree: files in which somebody else's reader finds a pickle that this one might not look at.
func TestReadersDisagree(t *testing.T) {
	t.Parallel()
	clean := array("<f8", "12345678")
	evil := array("|O", evilPickle)
	for name, data := range map[string][]byte{
		"an array without its ending":        zipOf(t, [2]string{"a.npy", clean}, [2]string{"b", evil}),
		"an array with another ending":       zipOf(t, [2]string{"a.npy", clean}, [2]string{"b.NPY", evil}),
		"a name in capitals":                 zipOf(t, [2]string{"archive/DATA.PKL", evilPickle}, [2]string{"other/data.pkl", cleanPickle}),
		"a pickle behind another":            []byte(cleanPickle + evilPickle[2:]),
		"older torch without protocols":      []byte("\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + "I1001\n." + "(dp0\n." + evilPickle[2:] + "(lp0\n."),
		"two directories":                    twoDirectories("archive/data.pkl", cleanPickle, evilPickle),
		"a tar file that is five pickles":    legacyTar(),
		"a directory that is not at the end": append(zipOf(t, [2]string{"archive/data.pkl", cleanPickle}), "trailing bytes of some kind"...),
	} {
		rep := inspect(t, data, Options{})
		require.Error(t, rep.Err(), "%s: %+v", name, rep)
	}
	for name, data := range map[string][]byte{
		"arrays of all names":   zipOf(t, [2]string{"W.npy", clean}, [2]string{"w.npy", clean}, [2]string{"aux.npy", clean}, [2]string{"dense/kernel:0.npy", clean}),
		"empty bytes":           []byte("\x80\x02c__builtin__\nbytes\n)R."),
		"a mark that is popped": []byte("(N0N."),
		"torch":                 zipOf(t, [2]string{"archive/data.pkl", cleanPickle}, [2]string{"archive/data/0", "1234"}),
	} {
		rep := inspect(t, data, Options{})
		require.NoError(t, rep.Err(), "%s: %+v", name, rep)
	}
}
