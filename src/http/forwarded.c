/* forwarded.c - who the client is when a proxy of ours stands in between. What X-Forwarded-For says is believed from trusted proxies only, and from
   the right: each proxy adds whom it heard, so the first one from there that is no proxy of ours is the client; what stands before, anybody can write. */
#include "http/private.h"

static enum MHD_Result gather(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct sb *all = arg;

    (void)kind;
    if (strcasecmp(name, "X-Forwarded-For") != 0 || !value)
        return MHD_YES;
    if (all->n > 0)
        sb_putc(all, ',');
    sb_puts(all, value);
    return MHD_YES;
}

/* Cuts the last element off. */
static struct str last_of(struct str *list)
{
    size_t n = list->n;

    while (n > 0 && list->p[n - 1] != ',')
        n--;
    struct str last = str_trim((struct str){ list->p + n, list->n - n });
    list->n = n > 0 ? n - 1 : 0;
    return last;
}

void forwarded_ip(struct request_private *p)
{
    const struct address_list *trusted = p->loop->server->limits.trusted_proxies;
    struct address             client, named;
    struct sb                  all = SB(&p->req.arena);

    if (!trusted || trusted->count == 0 || !address_read(str_of(p->req.ip), &client)
        || !address_in_list(trusted, &client))
        return;
    MHD_get_connection_values(p->mhd, MHD_HEADER_KIND, gather, &all);
    struct str rest = sb_str(&all);
    while (rest.n > 0 && address_in_list(trusted, &client) && address_read(last_of(&rest), &named))
        client = named;
    char text[ADDRESS_TEXT];
    address_write(&client, text);
    p->req.ip = arena_text(&p->req.arena, text, strlen(text));
    if (!p->req.ip)
        p->req.ip = p->conn->ip;
}
