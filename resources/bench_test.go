package resources

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/process"
)

func BenchmarkSample(b *testing.B) {
	ctx := context.Background()
	for name, path := range map[string]string{"without disk": "", "with disk": "/"} {
		b.Run(name, func(b *testing.B) {
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

// BenchmarkGopsutil makes the same readings with the library alone, cgroups left out.
func BenchmarkGopsutil(b *testing.B) {
	self := process.Process{Pid: int32(os.Getpid())}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = cpu.Percent(0, false)
		_, _ = load.Avg()
		_, _ = mem.VirtualMemory()
		_, _ = mem.SwapMemory()
		_, _ = self.MemoryInfo()
		_, _ = self.Times()
		_, _ = disk.Usage("/")
	}
}

func BenchmarkParts(b *testing.B) {
	ctx := context.Background()
	s, err := NewSampler(SamplerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	out := Sample{}
	for _, part := range []struct {
		name string
		read func() error
	}{
		{"cpu", func() error { return s.readCPU(ctx, &out) }},
		{"load", func() error { return readLoad(ctx, &out) }},
		{"host memory", func() error { return readHost(ctx, &out) }},
		{"container memory", func() error { return s.readContainer(&out) }},
		{"swap", func() error { return readSwap(ctx, &out) }},
		{"rss", func() error { return s.readRSS(ctx, &out) }},
		{"process cpu", func() error { return readProcessCPU(ctx, &out) }},
		{"runtime", func() error { readRuntime(&out); return nil }},
	} {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := part.read(); err != nil {
					b.Fatal(err)
				}
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
