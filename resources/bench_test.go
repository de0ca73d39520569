package resources

import (
	"context"
	"testing"
	"time"
)

func BenchmarkSample(b *testing.B) {
	ctx := context.Background()
	for _, path := range []string{"", "/"} {
		b.Run("disk="+path, func(b *testing.B) {
			s, err := NewSampler(SamplerConfig{Disk: path})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sample(ctx); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Close(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkGateOpen(b *testing.B) {
	g, err := NewGate(GateConfig{Source: fixed(.5), Check: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		token, _ := g.Admit(ctx)
		g.Done(token, nil)
	}
}
