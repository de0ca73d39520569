/* A driver's library that has few of its functions, for two GPUs. STUB_INIT is what its initialisation returns, STUB_HANG
 * makes the power reading of the second GPU hang for ever, STUB_XID is an error that happens once, on the second GPU. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
	unsigned int version;
	unsigned int sensor;
	int celsius;
} temperature;

static int number(const char *name) {
	const char *s = getenv(name);
	return s ? atoi(s) : 0;
}

int nvmlInit_v2(void) { return number("STUB_INIT"); }

int nvmlShutdown(void) { return 0; }

int nvmlDeviceGetCount_v2(unsigned int *count) {
	*count = 2;
	return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) {
	*handle = (void *)(size_t)(index + 1);
	return 0;
}

int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned int length) {
	snprintf(uuid, length, "GPU-stub-%d", (int)(size_t)handle);
	return 0;
}

int nvmlDeviceGetTemperatureV(void *handle, temperature *t) {
	if (t->version != (sizeof(*t) | 1 << 24))
		return 25;
	t->celsius = 40 + (int)(size_t)handle;
	return 0;
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned int *milliwatts) {
	while (getenv("STUB_HANG") && handle == (void *)2)
		pause();
	*milliwatts = 300000;
	return 0;
}

typedef struct {
	unsigned int version;
	unsigned long long total, reserved, available, used;
} memory;

int nvmlDeviceGetMemoryInfo_v2(void *handle, memory *m) {
	if (m->version != (sizeof(*m) | 2 << 24))
		return 25;
	m->total = 80ull << 30;
	m->reserved = 1ull << 30;
	m->used = (size_t)handle << 30;
	m->available = m->total - m->reserved - m->used;
	return 0;
}

typedef struct {
	unsigned int field, scope;
	long long timestamp, latency;
	unsigned int type, result;
	union {
		double d;
		unsigned int ui;
		unsigned long long ull;
	} value;
} field;

int nvmlDeviceGetFieldValues(void *handle, int count, field *fields) {
	for (int i = 0; i < count; i++) {
		fields[i].result = fields[i].field == 230 ? 0 : 3;
		fields[i].type = 1;
		fields[i].value.ui = handle == (void *)2 ? 4 : 0;
	}
	return 0;
}

typedef struct {
	unsigned int pid;
	unsigned long long used;
	unsigned int gpu_instance, compute_instance;
} process;

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count, process *processes) {
	unsigned int room = *count;
	*count = handle == (void *)2 ? 3 : 0;
	if (room < *count)
		return 7;
	for (unsigned int i = 0; i < *count; i++)
		processes[i] = (process){100 + i, i == 2 ? ~0ull : (unsigned long long)i << 20, ~0u, ~0u};
	return 0;
}

typedef struct {
	void *handle;
	unsigned long long type, data;
	unsigned int gpu_instance, compute_instance;
} event;

int nvmlEventSetCreate(void **set) {
	*set = (void *)77;
	return 0;
}

int nvmlEventSetFree(void *set) { return set == (void *)77 ? 0 : 2; }

int nvmlDeviceGetSupportedEventTypes(void *handle, unsigned long long *types) {
	*types = 8;
	return 0;
}

int nvmlDeviceRegisterEvents(void *handle, unsigned long long types, void *set) { return types == 8 && set == (void *)77 ? 0 : 2; }

int nvmlEventSetWait_v2(void *set, event *e, unsigned int milliseconds) {
	static int happened;
	if (number("STUB_XID") && !happened) {
		happened = 1;
		*e = (event){(void *)2, 8, number("STUB_XID"), ~0u, ~0u};
		return 0;
	}
	usleep(milliseconds * 1000);
	return 10;
}
