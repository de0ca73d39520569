package gpu

// XIDAction returns what NVIDIA advises to do at once after an XID error, and what the error is. Those that need no
// action and those that are not listed are told as [Watch].
//
// Source: the column of immediate actions in NVIDIA's XID catalog for A100 and newer
// (docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html). RESTART_APP is [Restart] here, RESET_GPU, WORKFLOW_XID_48
// and WORKFLOW_NVLINK_ERR are [Reset], RESTART_BM and RESTART_VM are [Reboot], CHECK_MECHANICALS and CONTACT_SUPPORT are
// [Replace], IGNORE is [Watch], and so is 45, which comes with another error. 64, for which the catalog has a reset, is
// [Replace]: it says that no spare row is left.
func XIDAction(xid int) (Action, string) {
	switch xid {
	case 8:
		return Restart, "the GPU stopped processing for an application"
	case 11, 25, 32, 80:
		return Restart, "invalid or corrupted push buffer"
	case 13:
		return Restart, "graphics engine exception, most often an application's fault"
	case 31:
		return Restart, "memory page fault, most often an application's fault"
	case 39, 40, 41, 70, 71, 72, 75, 76, 77, 85, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135:
		return Restart, "copy engine exception"
	case 43:
		return Watch, "an application's channel was reset"
	case 45:
		return Watch, "an application's work was removed after an earlier error"
	case 46:
		return Reset, "the GPU stopped processing"
	case 48:
		return Reset, "double-bit memory error"
	case 54:
		return Replace, "auxiliary power is not connected"
	case 60:
		return Restart, "security engine exception"
	case 62:
		return Reset, "the internal micro-controller has halted"
	case 63:
		return Watch, "a memory row or page is to be replaced"
	case 64:
		return Replace, "replacing a memory row or page has failed"
	case 68, 82, 83, 84, 86, 88, 89, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 139:
		return Restart, "video engine exception"
	case 69:
		return Restart, "graphics engine class error"
	case 74:
		return Reset, "NVLink error"
	case 79:
		return Reboot, "the GPU has fallen off the bus"
	case 92:
		return Watch, "many corrected memory errors"
	case 94:
		return Restart, "memory error, contained: the application that it hit must start again"
	case 95:
		return Reset, "memory error, not contained: all applications are affected"
	case 109:
		return Reset, "context switch timed out"
	case 110:
		return Reset, "security fault"
	case 119:
		return Reset, "the system processor of the GPU does not answer"
	case 120:
		return Reset, "error of the system processor of the GPU"
	case 136:
		return Reset, "NVLink training failed"
	case 140:
		return Reset, "memory error that could not be recovered"
	case 142:
		return Replace, "video encoder error"
	case 143:
		return Reset, "initialisation failed"
	case 151:
		return Reboot, "key rotation failed"
	case 155:
		return Reset, "NVLink error"
	case 156:
		return Reset, "a part of the GPU is to be retired"
	case 158:
		return Reset, "fatal timeout"
	case 154:
		return Watch, "the recovery that the driver asks for has changed"
	default:
		return Watch, "not known to need action"
	}
}
