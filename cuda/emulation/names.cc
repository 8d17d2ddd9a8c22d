/* names.cc owns the names of result codes. */
#include "driver.h"
#include <stdio.h>

namespace
{
struct code_name {
	int code;
	const char *name, *text; /* text in the driver's manner: a short phrase */
};

const code_name names[] = {
        {0, "CUDA_SUCCESS", "no error"},
        {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
        {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
        {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
        {4, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
        {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
        {36, "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", "the call requires a newer CUDA driver"},
        {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
        {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
        {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
        {102, "CUDA_ERROR_DEVICE_NOT_LICENSED", "device does not have a valid license"},
        {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
        {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
        {205, "CUDA_ERROR_MAP_FAILED", "mapping of buffer object failed"},
        {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
        {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
        {216, "CUDA_ERROR_CONTEXT_ALREADY_IN_USE", "exclusive-thread device already in use by a different thread"},
        {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
        {220, "CUDA_ERROR_NVLINK_UNCORRECTABLE", "uncorrectable NVLink error detected"},
        {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the PTX was compiled with an unsupported toolchain"},
        {226, "CUDA_ERROR_CONTAINED", "invalid access of peer GPU memory or a contained error"},
        {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
        {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
        {401, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
        {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
        {600, "CUDA_ERROR_NOT_READY", "device not ready"},
        {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
        {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
        {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
        {708, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", "primary context is active"},
        {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
        {710, "CUDA_ERROR_ASSERT", "device-side assert triggered"},
        {712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "part or all of the memory is already mapped or registered"},
        {713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "pointer does not correspond to a registered memory region"},
        {714, "CUDA_ERROR_HARDWARE_STACK_ERROR", "hardware stack error"},
        {715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
        {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
        {717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", "operation not supported on this address space"},
        {718, "CUDA_ERROR_INVALID_PC", "invalid program counter"},
        {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
        {800, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
        {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
        {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
        {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / CUDA driver combination"},
        {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
         "forward compatibility was attempted on unsupported hardware"},
        {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
        {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
        {902, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"},
        {903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"},
        {904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
        {905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
        {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
         "operation would make the legacy stream depend on a capturing stream"},
        {907, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
        {908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD",
         "attempt to terminate a thread-local capture sequence from another thread"},
        {909, "CUDA_ERROR_TIMEOUT", "wait operation timed out"},
        {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const code_name *look_up(int code)
{
	for (const code_name &n : names)
		if (n.code == code)
			return &n;
	return nullptr;
}
} // namespace

const char *error_name(int code)
{
	static thread_local char other[32];
	if (const code_name *n = look_up(code))
		return n->name;
	snprintf(other, sizeof other, "code %d", code);
	return other;
}

/* These two are asked about errors, so no fault may spoil them and they need nothing. */
FAKE_PUBLIC int cuGetErrorName(int code, const char **to)
{
	const code_name *n = look_up(code);
	*to = n ? n->name : nullptr;
	return n ? OK : INVALID_VALUE;
}

FAKE_PUBLIC int cuGetErrorString(int code, const char **to)
{
	const code_name *n = look_up(code);
	*to = n ? n->text : nullptr;
	return n ? OK : INVALID_VALUE;
}
