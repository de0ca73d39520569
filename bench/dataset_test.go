package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/valyala/fastjson"

	"github.com/surefoot-ml/surefoot/validate/dataset"
)

// dataLines are records of three texts, a label, a score and 16 floats: about 670 bytes each.
func dataLines(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the quick brown fox jumps over a lazy dog and runs to the river bank where it rests for a while")
	sentence := func(n int) string {
		var b strings.Builder
		for b.Len() < n {
			b.WriteString(words[rng.IntN(len(words))] + " ")
		}
		return b.String()
	}
	var b bytes.Buffer
	for i := range n {
		floats := make([]string, 16)
		for j := range floats {
			floats[j] = fmt.Sprintf("%.6f", rng.NormFloat64())
		}
		fmt.Fprintf(&b, `{"id":"row-%d","prompt":%q,"text":%q,"label":%d,"score":%.4f,"embedding":[%s]}`+"\n", i, sentence(120), sentence(300),
			rng.IntN(5), rng.Float64(), strings.Join(floats, ","))
	}
	return b.Bytes()
}

// BenchmarkValidateJSONL decodes and checks label, score, shape and finiteness of each record. Ours checks UTF-8, duplicate keys
// and exact numbers besides, and keeps moments, quantiles, distinct counts and classes of every column.
func BenchmarkValidateJSONL(b *testing.B) {
	text := dataLines(20_000)
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	run := func(name string, f func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				f(b)
			}
		})
	}
	ours := func(b *testing.B, o dataset.Options) {
		v, err := dataset.New(dataset.Schema{Columns: []dataset.Column{{Name: "id", Type: dataset.String}, {Name: "prompt", Type: dataset.String},
			{Name: "text", Type: dataset.String}, {Name: "label", Type: dataset.Int, Range: &dataset.Range{Max: 9}},
			{Name: "score", Type: dataset.Float, Range: &dataset.Range{Max: 1}},
			{Name: "embedding", Type: dataset.List, MinLength: 16, MaxLength: 16}}}, o)
		if err != nil {
			b.Fatal(err)
		}
		if err := v.ReadJSONL(bytes.NewReader(text)); err != nil || v.Report().BadRows > 0 {
			b.Fatal(err)
		}
	}
	run("surefoot", func(b *testing.B) { ours(b, dataset.Options{}) })
	run("surefoot rules only", func(b *testing.B) { ours(b, dataset.Options{RulesOnly: true}) })
	var parser fastjson.Parser
	run("fastjson", func(b *testing.B) {
		for _, line := range lines {
			v, err := parser.ParseBytes(line)
			if err != nil {
				b.Fatal(err)
			}
			label, err := v.Get("label").Int()
			if err != nil || label < 0 || label > 9 {
				b.Fatal(err)
			}
			score, err := v.Get("score").Float64()
			if err != nil || !(score >= 0 && score <= 1) {
				b.Fatal(err)
			}
			list := v.GetArray("embedding")
			if len(list) != 16 {
				b.Fatal(len(list))
			}
			for _, e := range list {
				if x, err := e.Float64(); err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
					b.Fatal(err)
				}
			}
		}
	})
	run("encoding/json Unmarshal", func(b *testing.B) {
		for _, line := range lines {
			var r struct {
				ID, Prompt, Text string
				Label            int
				Score            float64
				Embedding        []float64
			}
			if err := json.Unmarshal(line, &r); err != nil || r.Label < 0 || r.Label > 9 || len(r.Embedding) != 16 {
				b.Fatal(err)
			}
		}
	})
	run("encoding/json Valid", func(b *testing.B) {
		for _, line := range lines {
			if !json.Valid(line) {
				b.Fatal()
			}
		}
	})
}
