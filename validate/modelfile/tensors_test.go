package modelfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// safe is a safetensors file with that header and so many bytes.
func safe(header string, size int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, size)...)
}

func TestSafetensors(t *testing.T) {
	t.Parallel()
	good := safe(`{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},`+
		`"none":{"dtype":"I64","shape":[0,7],"data_offsets":[16,16]},"half":{"shape":[3,2],"dtype":"F4","data_offsets":[16,19]}}   `, 19)
	rep := inspect(t, good, Options{})
	require.NoError(t, rep.Err())
	require.Equal(t, Safetensors, rep.Format)
	require.Equal(t, 4, rep.Tensors)
	require.EqualValues(t, 13, rep.Values)
	require.Equal(t, Tensor{"b", "F16", []int64{2, 3}, 12}, rep.First[0])
	for n := range good {
		require.Error(t, errOf(inspect(t, good[:n], Options{})), "cut at %d", n)
	}
	require.Error(t, errOf(inspect(t, append(bytes.Clone(good), 0), Options{})), "a byte more")
	for _, tt := range []struct {
		header string
		size   int
		code   string
	}{
		{`{}`, 1, CodeStructure},
		{`{} x`, 0, CodeStructure},
		{`{"a":1}`, 0, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[1]}}`, 4, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4, CodeStructure},
		{`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, CodeDuplicate},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, 6, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}}`, 4, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, 4, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}`, 16, CodeStructure},
		{`{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,4],"data_offsets":[0,4]}}`, 4, CodeStructure},
		{`{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}`, 1, CodeStructure},
		{`{"a":{"dtype":"object","shape":[1],"data_offsets":[0,4]}}`, 4, "choice"},
		{`{"__metadata__":{"a":1}}`, 0, CodeStructure},
		{"{\"\xff\":{}}", 0, CodeStructure},
		{`{"a":{"dtype":"F32","shape":` + strings.Repeat("[", 20000), 0, CodeStructure},
	} {
		rep := inspect(t, safe(tt.header, tt.size), Options{})
		require.Error(t, rep.Err(), tt.header)
		require.Contains(t, codes(rep), tt.code, tt.header)
	}
	huge := binary.LittleEndian.AppendUint64(nil, maxHeader+1)
	require.Contains(t, codes(inspect(t, append(huge, '{'), Options{})), CodeLimit)
	require.Contains(t, codes(inspect(t, append(binary.LittleEndian.AppendUint64(nil, 1000), '{'), Options{})), CodeStructure)
}

// ggufWriter makes GGUF files of version 3.
type ggufWriter struct {
	keys, tensors int
	meta, infos   []byte
	data          int
}

func newGGUF() *ggufWriter { return &ggufWriter{} }

func ggufText(s string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)
}

func (w *ggufWriter) key(name string, kind uint32, values ...any) *ggufWriter {
	w.keys++
	w.meta = binary.LittleEndian.AppendUint32(append(w.meta, ggufText(name)...), kind)
	for _, v := range values {
		if s, ok := v.(string); ok {
			w.meta = append(w.meta, ggufText(s)...)
			continue
		}
		w.meta, _ = binary.Append(w.meta, binary.LittleEndian, v)
	}
	return w
}

func (w *ggufWriter) tensor(name string, kind uint32, offset uint64, shape ...uint64) *ggufWriter {
	w.tensors++
	w.infos = binary.LittleEndian.AppendUint32(append(w.infos, ggufText(name)...), uint32(len(shape)))
	for _, d := range shape {
		w.infos = binary.LittleEndian.AppendUint64(w.infos, d)
	}
	w.infos = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(w.infos, kind), offset)
	return w
}

func (w *ggufWriter) with(data int) *ggufWriter {
	w.data = data
	return w
}

func (w *ggufWriter) bytes() []byte {
	b := append([]byte("GGUF"), 3, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.tensors))
	b = binary.LittleEndian.AppendUint64(b, uint64(w.keys))
	b = append(append(b, w.meta...), w.infos...)
	for len(b)%32 != 0 {
		b = append(b, 0)
	}
	return append(b, make([]byte, w.data)...)
}

func TestGGUF(t *testing.T) {
	t.Parallel()
	good := func() *ggufWriter {
		return newGGUF().key("general.architecture", 8, "llama").key("general.alignment", 4, uint32(32)).
			key("tokens", 9, uint32(8), uint64(2), "a", "b").key("nested", 9, uint32(9), uint64(1), uint32(5), uint64(2), int32(1), int32(2)).
			key("flag", 7, true).key("big", 12, 1.5).
			tensor("w", 0, 0, 4, 2).tensor("q", 2, 32, 64).with(68)
	}
	rep := inspect(t, good().bytes(), Options{})
	require.NoError(t, rep.Err())
	require.Empty(t, rep.Problems)
	require.Equal(t, GGUF, rep.Format)
	require.Equal(t, []Tensor{{"w", "F32", []int64{4, 2}, 32}, {"q", "Q4_0", []int64{64}, 36}}, rep.First)
	data := good().bytes()
	for n := range data {
		require.Error(t, errOf(inspect(t, data[:n], Options{})), "cut at %d", n)
	}
	for name, bad := range map[string]*ggufWriter{
		"key twice":      good().key("flag", 7, true),
		"tensor twice":   newGGUF().tensor("a", 0, 0, 1).tensor("a", 0, 32, 1).with(64),
		"beyond the end": newGGUF().tensor("a", 0, 0, 100).with(64),
		"overlap":        newGGUF().tensor("a", 0, 0, 16).tensor("b", 0, 32, 8).with(64),
		"not aligned":    newGGUF().tensor("a", 0, 4, 1).with(64),
		"half a block":   newGGUF().tensor("a", 2, 0, 33).with(64),
		"huge":           newGGUF().tensor("a", 0, 0, 1<<40, 1<<40).with(64),
		"huge dimension": newGGUF().tensor("a", 0, 0, 1<<63).with(64),
		"many":           newGGUF().tensor("a", 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1).with(64),
		"offset":         newGGUF().tensor("a", 0, 1<<63, 1).with(64),
		"alignment":      newGGUF().key("general.alignment", 4, uint32(0)),
		"bad type":       newGGUF().key("x", 13, uint32(0)),
		"long list":      newGGUF().key("x", 9, uint32(0), uint64(1<<60)),
		"long string":    newGGUF().key("x", 8, uint64(1<<50)),
		"deep":           newGGUF().key("x", 9, uint32(9), uint64(1), uint32(9), uint64(1), uint32(9), uint64(1), uint32(9), uint64(1), uint32(9), uint64(1), uint32(0), uint64(0)),
	} {
		require.Error(t, errOf(inspect(t, bad.bytes(), Options{})), name)
	}
	rep = inspect(t, newGGUF().key("tokenizer.chat_template", 8, "{{ x }}").tensor("a", 99, 0, 3).with(32).bytes(), Options{})
	require.NoError(t, rep.Err())
	require.Equal(t, []string{"choice", CodeCode}, codes(rep))
	old := good().bytes()
	old[4] = 1
	require.ErrorContains(t, errOf(inspect(t, old, Options{})), "version 1")
}

func BenchmarkInspect(b *testing.B) {
	var header strings.Builder
	header.WriteByte('{')
	for i := range 1000 {
		if i > 0 {
			header.WriteByte(',')
		}
		fmt.Fprintf(&header, `"model.layers.%d.weight":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}`, i, 4*i, 4*i+4)
	}
	header.WriteByte('}')
	pickle := "\x80\x02]q\x00(" + strings.Repeat("X\x05\x00\x00\x00hellok"[:10]+"K\x01", 10000) + "e."
	for name, data := range map[string][]byte{"safetensors": safe(header.String(), 4000), "pickle": []byte(pickle)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if rep := inspect(b, data, Options{}); rep.Err() != nil {
					b.Fatal(rep.Err())
				}
			}
		})
	}
}
