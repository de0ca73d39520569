package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/resources"
	"github.com/surefoot-ml/surefoot/resources/gpu"
)

const gib = 1 << 30

// crowded is a container with half a host, and GPUs of which one is lost.
func crowded() frame {
	of := resources.Of[float64]
	return frame{
		Sample: resources.Sample{
			At: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Load: of(9.5), Load5: of(8), CPU: of(.25), CPUs: resources.Of(64),
			Host:   resources.Memory{Total: resources.Of[uint64](256 * gib), Available: resources.Of[uint64](192 * gib)},
			Memory: resources.Memory{Total: resources.Of[uint64](16 * gib), Available: resources.Of[uint64](gib), Limited: true},
			Disk:   resources.Disk{Path: "/data\x1b[2J", Total: resources.Of[uint64](1000 * gib), Free: resources.Of[uint64](10 * gib)},
			Container: resources.Container{
				CPUs: of(2.5), CPU: of(.99), Throttled: of(.4), WorkingSet: resources.Of[uint64](15 * gib),
				OOMKills: resources.Counter{Total: resources.Of[uint64](2)},
			},
		},
		GPUs: []board{
			{
				Device: gpu.Device{
					Index: 0, Name: "NVIDIA H100 80GB HBM3", Busy: of(.5), MemoryTotal: resources.Of[uint64](80 * gib), MemoryUsed: resources.Of[uint64](60 * gib),
					Temperature: of(63), Power: of(612.3), Reasons: resources.Of(gpu.PowerCap),
					Processes: []gpu.Process{{PID: 42, Kind: gpu.Compute, Memory: resources.Of[uint64](59 * gib)}},
				},
				Health: []gpu.Finding{{Action: gpu.Reset, Text: "double-bit memory error"}},
			},
			{Device: gpu.Device{Index: 1, Name: "NVIDIA H100 80GB HBM3", UUID: "GPU-1", Lost: true}},
			{Device: gpu.Device{Index: 2, Name: "NVIDIA A100", Split: resources.Of(true), Slices: []gpu.Slice{{Name: "3g.20gb", Instance: 1, MemoryTotal: resources.Of[uint64](20 * gib)}}}},
		},
		Errors: []string{"GPU 1: gpu: lost\a"},
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	want := `03:04:05   load 9.50 8.00 -

          host                                           this container
cpu       [#####...............]  25 % of 64             [####################]  99 % of 2.50, throttled 40 %
          -
memory    [#####...............]  25 % of 256.0 GiB      [###################.]  94 % of 16.0 GiB
          swap - of -                                    working set 15.0 GiB, page cache -
                                                         limit hit - times, killed for memory 2
waiting   for cpu -, memory -, io -                      for cpu -, memory -, io -

disk      [####################]  99 % of 1000.0 GiB, 10.0 GiB free /data?[2J
          read -, written -                              busy -
network   received -, sent -
process   resident -, heap -                             goroutines -, threads -, files - of -

gpu 0     [##########..........]  50 % NVIDIA H100 80GB HBM3 memory [###############.....]  75 % of 80.0 GiB
          63 °C, 612 of - W, - of - MHz; held down by: power cap
          process 42 (compute): memory 59.0 GiB, busy -
          reset: double-bit memory error
gpu 1     lost: NVIDIA H100 80GB HBM3 GPU-1
gpu 2     [                    ]     - NVIDIA A100       memory [                    ]     - of -
          - °C, - of - W, - of - MHz; held down by: -
          slice 1.0 3g.20gb: memory - of 20.0 GiB
! GPU 1: gpu: lost?
`
	require.Equal(t, want, crowded().text())

	require.Contains(t, frame{NoGPUs: "no driver"}.text(), "gpu       not known: no driver")
	require.Contains(t, frame{GPUs: []board{}}.text(), "gpu       none\n", "none is not the same as not known")
}

func TestFrameAsJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(crowded())
	require.NoError(t, err)
	var got struct {
		Sample struct {
			Container struct{ CPU, CPUs, MemoryLimit *float64 }
		}
		GPUs []struct {
			Busy    *float64
			Lost    bool
			Reasons *string
			Health  []struct{ Action, Text string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &got))
	require.InDelta(t, 2.5, *got.Sample.Container.CPUs, 0)
	require.Nil(t, got.Sample.Container.MemoryLimit, "absent is null, not 0")
	require.InDelta(t, .5, *got.GPUs[0].Busy, 0)
	require.Equal(t, "power cap", *got.GPUs[0].Reasons)
	require.Equal(t, "reset", got.GPUs[0].Health[0].Action)
	require.Nil(t, got.GPUs[1].Busy)
	require.True(t, got.GPUs[1].Lost)
}

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-n", "2", "-interval", "20ms", "-disk", t.TempDir()}, &out, false))
	require.Equal(t, 2, strings.Count(out.String(), "this container"))
	require.NotContains(t, out.String(), "\x1b", "plain where there is no terminal")

	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-n", "2", "-interval", "20ms"}, &out, true))
	require.Equal(t, 2, strings.Count(out.String(), "\x1b[H\x1b[J"), "drawn over the one before")

	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-json", "-n", "3", "-interval", "20ms"}, &out, true))
	var got []struct {
		Sample struct {
			Host struct{ Total, Available *float64 }
		}
	}
	for line := range strings.Lines(out.String()) {
		got = append(got, struct {
			Sample struct {
				Host struct{ Total, Available *float64 }
			}
		}{})
		require.NoError(t, json.Unmarshal([]byte(line), &got[len(got)-1]))
	}
	require.Len(t, got, 3)
	if runtime.GOOS == "linux" {
		require.Positive(t, *got[2].Sample.Host.Total)
		require.LessOrEqual(t, *got[2].Sample.Host.Available, *got[2].Sample.Host.Total)
	}
}

func TestRunEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	require.NoError(t, run(ctx, []string{"-interval", "10ms"}, &out, false), "it is how one leaves")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-interval", "1ms"}, {"-n", "-1"}, {"extra"}, {"-interval", "soon"}} {
		require.Error(t, run(t.Context(), args, &bytes.Buffer{}, false), "%v", args)
	}
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &bytes.Buffer{}, false), flag.ErrHelp)
	require.ErrorContains(t, run(t.Context(), []string{"-interval", "10ms"}, full{}, false), "no space left")
}

func TestLines(t *testing.T) {
	t.Parallel()
	require.Nil(t, lines(nil))
	require.Equal(t, []string{"a"}, lines(errors.New("a")))
	require.Equal(t, []string{"a", "b"}, lines(errors.Join(errors.New("a"), errors.New("b"))))
	require.Equal(t, []string{"c: d"}, lines(fmt.Errorf("c: %w", errors.New("d"))))
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1023.99 * 1024: "1.0 MiB", 1 << 40: "1.0 TiB", 1 << 63: "8.0 EiB"} {
		require.Equal(t, want, amount(v))
	}
}
