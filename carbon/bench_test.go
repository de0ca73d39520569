package carbon

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// year is a trace of a year of hourly values.
func year() string {
	var b strings.Builder
	b.WriteString("time,XX\n")
	for i := range 8760 {
		fmt.Fprintf(&b, "%s,%d\n", noon.Add(time.Duration(i)*time.Hour).Format(time.RFC3339), 200+i%300)
	}
	return b.String()
}

func BenchmarkGateOpen(b *testing.B) {
	g := newGate(b, GateConfig{Provider: hourly(100), Timeline: replay(1)})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		token, _ := g.Admit(ctx)
		g.Done(token, nil)
	}
}

func BenchmarkTraceAt(b *testing.B) {
	tr := readTrace(b, year(), TraceOptions{})
	ctx := context.Background()
	at := noon.Add(4000 * time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tr.At(ctx, at); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadTraceYear(b *testing.B) {
	text := year()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		readTrace(b, text, TraceOptions{})
	}
}

func BenchmarkMeterAdd(b *testing.B) {
	tr := readTrace(b, year(), TraceOptions{})
	ctx := context.Background()
	for _, hours := range []int{1, 24, 168} {
		b.Run(fmt.Sprintf("hours=%d", hours), func(b *testing.B) {
			m := newMeter(b, tr)
			e := Energy{Joules: joulesPerKWh, Source: "model", Estimated: true}
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Add(ctx, noon, noon.Add(time.Duration(hours)*time.Hour), e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
