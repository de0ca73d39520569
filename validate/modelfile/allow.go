package modelfile

import (
	"fmt"
	"strings"
)

// allowed imports of pickles by module. They build data and do nothing else, whatever their arguments: those of torch's
// weights_only loader, and those that numpy arrays and plain containers need. Not among them, on purpose: getattr and
// everything else that finds further callables by name, and torch.storage._load_from_bytes, which loads another pickle.
var allowed = []struct{ module, names string }{
	{"collections", "OrderedDict Counter defaultdict deque"},
	{"builtins", "set frozenset bytearray complex list dict tuple int float str bytes bool slice range object"},
	{"__builtin__", "set frozenset bytearray complex list dict tuple int float str bytes bool slice xrange object unicode long"},
	{"_codecs", "encode"},
	{"datetime", "datetime date time timedelta timezone"},
	{"numpy", "ndarray dtype"},
	{"numpy.core.multiarray", "_reconstruct scalar"},
	{"numpy._core.multiarray", "_reconstruct scalar"},
	{"numpy.core.numeric", "_frombuffer"},
	{"numpy._core.numeric", "_frombuffer"},
	{"torch", "FloatStorage DoubleStorage HalfStorage BFloat16Storage LongStorage IntStorage ShortStorage CharStorage ByteStorage BoolStorage " +
		"ComplexFloatStorage ComplexDoubleStorage QUInt8Storage QInt8Storage QInt32Storage QUInt4x2Storage QUInt2x4Storage " +
		"float16 float32 float64 half float double bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 short int long bool " +
		"complex32 complex64 complex128 cfloat cdouble chalf quint8 qint8 qint32 quint4x2 quint2x4 " +
		"float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu " +
		"per_tensor_affine per_tensor_symmetric per_channel_affine per_channel_symmetric per_channel_affine_float_qparams " +
		"Size Tensor device"},
	{"torch.storage", "UntypedStorage TypedStorage"},
	{"torch.nn.parameter", "Parameter UninitializedParameter UninitializedBuffer Buffer"},
	{"torch.nn", "Parameter"},
	{"torch.serialization", "_get_layout"},
	{"torch._tensor", "_rebuild_from_type_v2"},
	{"torch._utils", "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter _rebuild_parameter_with_state " +
		"_rebuild_qtensor _rebuild_sparse_tensor _rebuild_sparse_csr_tensor _rebuild_nested_tensor _rebuild_meta_tensor_no_storage " +
		"_rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor _rebuild_wrapper_subclass"},
}

// DefaultAllow returns the imports that every pickle may make, as "module.name".
func DefaultAllow() []string {
	var all []string
	for _, a := range allowed {
		for name := range strings.FieldsSeq(a.names) {
			all = append(all, a.module+"."+name)
		}
	}
	return all
}

// allow makes the allow-list of an inspection.
func (in *inspection) allow() error {
	in.allowed, in.imports = map[string]bool{}, map[string]bool{}
	for _, name := range DefaultAllow() {
		in.allowed[name] = true
	}
	for _, name := range in.opts.Allow {
		module, last, ok := cutLast(name)
		if !ok || module == "" || last == "" || strings.ContainsAny(module, "* \n") || last != "*" && strings.ContainsAny(last, "* \n") {
			return fmt.Errorf("modelfile: Options.Allow has %.200q, want \"module.name\" or \"module.*\"", name)
		}
		in.allowed[name] = true
	}
	return nil
}

func cutLast(name string) (before, after string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// imported judges an import of a pickle, and tells of each once. A name with dots reaches into an object, and is never taken
// for one of the list.
func (in *inspection) imported(path, module, name string) {
	full := module + "." + name
	if in.imports[shown(full)] {
		return
	}
	if len(in.imports) < maxImports {
		in.imports[shown(full)] = true
	}
	if !strings.Contains(name, ".") && (in.allowed[full] || in.allowed[module+".*"]) {
		return
	}
	in.problem(path, CodeImport, shown(full), "an import that only builds data (see DefaultAllow)")
}
