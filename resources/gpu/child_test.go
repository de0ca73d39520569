//go:build cgo && linux

package gpu

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/stretchr/testify/require"
)

// childEnv says what a child process is to do. A call to a function that the driver's library lacks ends the process, and
// no recover helps: only a process can show that we never make one.
const childEnv = "GPU_TEST_CHILD"

// TestChild is what child processes run.
func TestChild(t *testing.T) {
	switch os.Getenv(childEnv) {
	case "":
		t.Skip("for child processes")
	case "blunder": // what a program must not do
		nvml.Init()
		nvml.DeviceGetCount()
	case "read":
		events := make(chan Event, 1)
		r, err := NewReader(Config{Timeout: time.Second, Event: func(e Event) { events <- e }})
		require.NoError(t, err)
		for i := range 3 {
			if i == 1 && os.Getenv("STUB_XID") != "" {
				<-events
			}
			devices, err := r.Read(t.Context())
			report := map[string]any{"devices": devices, "error": fmt.Sprint(err)}
			line, err := json.Marshal(report)
			require.NoError(t, err)
			fmt.Printf("%s\n", line)
		}
		_ = r.ReadGPUs(t.Context(), func(string, string, float64, float64, float64, float64, float64) {})
		if os.Getenv("STUB_HANG") == "" {
			require.NoError(t, r.Close(t.Context()))
		}
		fmt.Println("survived")
	}
}

// child runs TestChild and returns what it printed, and whether it came to its end.
func child(t *testing.T, what string, env ...string) (lines []string, survived bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v", "-test.timeout=30s")
	cmd.Env = append(os.Environ(), append(env, childEnv+"="+what)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "{") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Logf("%v: %s", err, &out)
	}
	return lines, err == nil && strings.Contains(out.String(), "survived")
}

// stub builds a library with few functions and returns the setting that makes a child load it.
func stub(t *testing.T) string {
	t.Helper()
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc to build a driver's library with")
	}
	dir := t.TempDir()
	out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", filepath.Join(dir, nvmlName), filepath.Join("testdata", "stub.c")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return "LD_LIBRARY_PATH=" + dir
}

func TestWithoutDriver(t *testing.T) {
	t.Parallel()
	if findNVML() == nil {
		t.Skip("there is a driver")
	}
	lines, survived := child(t, "read")
	require.True(t, survived)
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], ErrNoDriver.Error())
	require.Contains(t, lines[0], `"devices":null`, "no driver is not the same as no GPUs")

	_, survived = child(t, "blunder")
	require.False(t, survived, "what this package guards against is real")
}

// Through the C library: what it has is read as it lays it out, what it lacks is absent, and the process lives.
func TestDriverThatLacksFunctions(t *testing.T) {
	t.Parallel()
	lines, survived := child(t, "read", stub(t), "STUB_XID=79")
	require.True(t, survived)
	require.Len(t, lines, 3)
	var got struct {
		Error   string
		Devices []struct {
			UUID                                              string
			Temperature, Power, Busy, MemoryTotal, MemoryUsed *float64
			Recovery                                          *Recovery
			Events                                            []struct {
				UUID string
				XID  int
			}
			Processes []struct {
				PID    int
				Memory *float64
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(lines[2]), &got))
	require.Equal(t, "<nil>", got.Error)
	require.Len(t, got.Devices, 2)
	first, second := got.Devices[0], got.Devices[1]
	require.Equal(t, "GPU-stub-2", second.UUID)
	require.InDelta(t, 42, *second.Temperature, 0)
	require.InDelta(t, 300, *second.Power, 0)
	require.InDelta(t, 80<<30, *second.MemoryTotal, 0)
	require.InDelta(t, 2<<30, *second.MemoryUsed, 0)
	require.Nil(t, second.Busy)
	require.Equal(t, NoRecovery, *first.Recovery)
	require.Equal(t, DrainAndReset, *second.Recovery)
	require.Equal(t, []int{100, 101, 102}, []int{second.Processes[0].PID, second.Processes[1].PID, second.Processes[2].PID})
	require.InDelta(t, 1<<20, *second.Processes[1].Memory, 0)
	require.Nil(t, second.Processes[2].Memory)
	require.NotNil(t, first.Processes)
	require.Empty(t, first.Processes, "none is not the same as not known")
	require.Empty(t, first.Events)
	require.Len(t, second.Events, 1, "the handle in the event is that of the second GPU")
	require.Equal(t, 79, second.Events[0].XID)
	require.Equal(t, "GPU-stub-2", second.Events[0].UUID)
}

func TestDriverNotLoaded(t *testing.T) {
	t.Parallel()
	lines, survived := child(t, "read", stub(t), "STUB_INIT=9")
	require.True(t, survived)
	require.Contains(t, lines[0], "nvmlInit: driver not loaded")
	require.Contains(t, lines[0], `"devices":null`)
}

// A call that hangs inside the library holds a thread, but nothing else.
func TestDriverThatHangs(t *testing.T) {
	t.Parallel()
	lines, survived := child(t, "read", stub(t), "STUB_HANG=1")
	require.True(t, survived)
	require.Len(t, lines, 3)
	for _, line := range lines {
		require.Contains(t, line, "no answer since")
		require.Contains(t, line, "nvmlDeviceGetPowerUsage")
		require.Equal(t, 1, strings.Count(line, `"Power":300`), "the other GPU answers")
	}
}

func TestNotALibrary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, nvmlName), []byte("not a library"), 0o600))
	lines, survived := child(t, "read", "LD_LIBRARY_PATH="+dir)
	require.True(t, survived)
	require.Contains(t, lines[0], ErrNoDriver.Error())
}
