/* overflow.c - see overflow.h. Parsers that are not ours recurse as deep as the file says; the page below the stack is where that ends. */
#include "extract/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum {
    HANDLER_STACK = 65536,
    NEAR_BYTES = 1 << 20, /* a frame may be larger than the page that guards the stack; its random offset too */
};

/* What the handler needs, as it gets no argument. Set once, before anything is read. */
static struct {
    struct frame_writer *writer;
    uintptr_t            lowest; /* address of the stack */
    char                 stack[HANDLER_STACK];
} watch;

/* Nothing of the program's state is believed any more but the writer: the parent checks what it wrote. (AddressSanitizer would look for the
   stack's end before _exit, in a file that the sandbox denies.) */
__attribute__((no_sanitize_address)) static void on_fault(int number, siginfo_t *info, void *context UNUSED)
{
    uintptr_t at = (uintptr_t)info->si_addr;

    if (at + NEAR_BYTES > watch.lowest && at < watch.lowest + NEAR_BYTES) {
        frame_fail(watch.writer, CAUSE_BOMB);
        _exit(EXIT_SUCCESS);
    }
    signal(number, SIG_DFL); /* it happens again, and the parent sees by what the reader died */
}

void overflow_watch(struct frame_writer *w)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    stack_t          stack = { .ss_sp = watch.stack, .ss_size = sizeof watch.stack };
    pthread_attr_t   attributes;
    void            *lowest;
    size_t           size;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    bool known = pthread_attr_getstack(&attributes, &lowest, &size) == 0;
    pthread_attr_destroy(&attributes);
    watch.writer = w;
    watch.lowest = (uintptr_t)lowest;
    if (known && sigaltstack(&stack, NULL) == 0)
        sigaction(SIGSEGV, &action, NULL);
}
