package redact

import (
	"strings"
	"testing"
)

const prose = "The gradient of the loss over the batch is clipped at a norm of one, and noise is added to the sum; what is left of the budget decides whether the next epoch begins. "

const logText = `time=2026-03-10T12:00:00.123Z level=INFO msg="step done" run=imdb-7 step=18231 loss=0.4312 epsilon=1.732 delta=1e-05 worker=node-17:8080 took=1.250s path=/data/train/part-00017.jsonl` + "\n"

func BenchmarkString(b *testing.B) {
	r, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	for _, bm := range []struct{ name, text string }{
		{"prose", strings.Repeat(prose, 60)},
		{"log", strings.Repeat(logText, 60)},
		{"prose-line", prose[:130]},
		{"log-line", logText},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.text)))
			for b.Loop() {
				if len(r.String(bm.text)) != len(bm.text) {
					b.Fatal(r.String(bm.text))
				}
			}
		})
	}
}

func BenchmarkCorpus(b *testing.B) {
	r := must(b, Config{})
	for name, lines := range corpora(b) {
		text := strings.Join(lines, "\n")
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				for _, line := range lines {
					r.Has(line)
				}
			}
		})
	}
}

func BenchmarkJSON(b *testing.B) {
	r := must(b, Config{})
	src := []byte(`{"attempt":1,"batch":18231,"delta":1e-05,"epsilon":1.7324,"event":"step","loss":0.43127,"note":"step done on node-17","run":"imdb-bert-2026-03-10","shard":"/data/train/part-00017.jsonl","took_ms":1250,"worker":"node-17.cluster.internal"}`)
	var dst []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		dst = r.JSON(dst[:0], src)
	}
	if string(dst) != string(src) {
		b.Fatal(string(dst))
	}
}

func BenchmarkValue(b *testing.B) {
	r := must(b, Config{})
	v := tree{base: base{"bob", ""}, More: map[string]any{"lr": 0.001, "opt": "adam"}, Loss: []float64{1, 2, 3}}
	b.ReportAllocs()
	for b.Loop() {
		r.Value(v)
	}
}
