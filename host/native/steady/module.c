/* What an interpreter finds while a guest is built, made the same for every build: the clock stands
 * still, random numbers are always the same, and files have no times and no numbers of their own.
 * The tools that run the interpreter take these from the system, and have no option to set them.
 *
 * Rule 1: this is preloaded into such a tool, and into nothing that serves requests.
 * Rule 2: where it cannot work, it does nothing; builds differ then, and are no worse for it.
 * Rule 3: files are asked for by system calls that no library stands before. A filter hands these to
 *         `on_call`, if the variable SENTINEL_STEADY_FILES is there: Node tells files apart by their
 *         numbers, and is not asked to do without.
 *
 * Random numbers are the text in SENTINEL_STEADY_SEED over and over, which differs between guests. */
#define _GNU_SOURCE
#include <stdlib.h>

/* Where the headers know `statx`, too. */
#if defined(__linux__) && defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__))
#if __GLIBC_PREREQ(2, 28) && __has_include(<linux/seccomp.h>)
#define IS_POSSIBLE
#endif
#endif

#ifdef IS_POSSIBLE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* 2023-11-14 in UTC. */
#define NOW 1700000000
/* In a sixth argument, which none of the filtered calls has: the call is our own. */
#define OURS 0x5e7e1u

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
static const int ARGUMENTS[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8};
#define ARGUMENT(context, at) ((context)->uc_mcontext.gregs[ARGUMENTS[at]])
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#define ARGUMENT(context, at) ((context)->uc_mcontext.regs[at])
#endif

int clock_gettime(clockid_t clock, struct timespec *to) {
  (void)clock;
  *to = (struct timespec){.tv_sec = NOW};
  return 0;
}

/* The same for each who asks, so that it makes no difference which thread asks first. */
ssize_t getrandom(void *to, size_t size, unsigned flags) {
  (void)flags;
  const char *seed = getenv("SENTINEL_STEADY_SEED");
  if (seed == NULL || *seed == 0) seed = "sentinel";
  size_t length = strlen(seed);
  for (size_t i = 0; i < size; i++) ((char *)to)[i] = seed[i % length];
  return (ssize_t)size;
}

static long call(long number, long a, long b, long c, long d, long e, long f) {
#ifdef __x86_64__
  long result;
  register long fourth __asm__("r10") = d, fifth __asm__("r8") = e, sixth __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long at __asm__("x8") = number, first __asm__("x0") = a, second __asm__("x1") = b;
  register long third __asm__("x2") = c, fourth __asm__("x3") = d, fifth __asm__("x4") = e, sixth __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(first) : "r"(at), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth) : "memory");
  return first;
#endif
}

/* Libraries in Rust ask for random numbers by this. */
long syscall(long number, ...) {
  __builtin_va_list list;
  __builtin_va_start(list, number);
  long given[6];
  for (size_t i = 0; i < 6; i++) given[i] = __builtin_va_arg(list, long);
  __builtin_va_end(list);
  if (number == SYS_getrandom) return getrandom((void *)given[0], (size_t)given[1], 0);
  long result = call(number, given[0], given[1], given[2], given[3], given[4], given[5]);
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

static void forget(struct statx *found) {
  struct statx_timestamp now = {.tv_sec = NOW};
  found->stx_ino = 1;
  found->stx_dev_major = found->stx_dev_minor = 0;
  found->stx_atime = found->stx_btime = found->stx_ctime = found->stx_mtime = now;
}

static void on_call(int signal, siginfo_t *told, void *data) {
  (void)signal;
  ucontext_t *context = data;
  long given[5];
  for (size_t i = 0; i < 5; i++) given[i] = (long)ARGUMENT(context, i);
  long result = call(told->si_syscall, given[0], given[1], given[2], given[3], given[4], OURS);
  if (result == 0) forget((struct statx *)given[4]);
  RESULT(context) = result;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

static void filter_calls(void) {
  struct sock_filter filter[] = {
      LOAD(arch),
      IF_EQUAL(ARCHITECTURE, 0, 5),
      LOAD(nr),
      IF_EQUAL(SYS_statx, 0, 3),
      LOAD(args[5]),
      IF_EQUAL(OURS, 1, 0),
      RETURN(SECCOMP_RET_TRAP),
      RETURN(SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | SA_RESTART};
  if (sigaction(SIGSYS, &action, NULL) != 0) return;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return;
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

__attribute__((constructor)) static void begin(void) {
  if (getenv("SENTINEL_STEADY_FILES") != NULL) filter_calls();
}
#endif

/* It is built as a module of Python, and is none. */
void *PyInit__steady(void) {
  return 0;
}
