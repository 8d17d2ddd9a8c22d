/* shared.cc owns the two marks around the kernels' shared memory: compiled once with MARK emulation_shared_begin and
 * linked before the kernels' objects, once with emulation_shared_end and linked behind them. The linker keeps that
 * order within .bss, where the static variables that __shared__ makes lie. */
extern "C" {
__attribute__((visibility("hidden"), aligned(4096))) char MARK;
}
