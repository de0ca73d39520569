package gpu

// Recovery is what a driver asks for after a fault of a GPU (nvmlDeviceGpuRecoveryAction).
type Recovery string

// The kinds of recovery.
const (
	NoRecovery    Recovery = "none"
	ResetGPU      Recovery = "reset the GPU"
	RebootNode    Recovery = "reboot the machine"
	DrainPeers    Recovery = "end what uses it from other GPUs"
	DrainAndReset Recovery = "let running work end, then reset the GPU"
	RecoverDomain Recovery = "recover the IMEX domain"
	ResetBus      Recovery = "reset the GPU through the bus"
	RebootSystem  Recovery = "reboot the system"
)

// recoveryOf translates the number that the driver gives.
func recoveryOf(code uint32) (Recovery, bool) {
	known := [...]Recovery{
		NoRecovery, ResetGPU, RebootNode, DrainPeers, DrainAndReset, RecoverDomain, ResetBus, RebootSystem,
	}
	if code >= uint32(len(known)) {
		return "", false
	}
	return known[code], true
}

// action is the rank of a recovery among the actions of [Health].
func (r Recovery) action() Action {
	switch r {
	case ResetGPU, DrainAndReset, ResetBus:
		return Reset
	case RebootNode, RebootSystem:
		return Reboot
	case DrainPeers, RecoverDomain:
		return Restart
	default:
		return Nothing
	}
}
