# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults that the simulation must find: a name, a description, and edits (file, old text, new text)."""

S = "src/serve/"
R = "src/record/"
N = "src/net/"
L = "src/log/"

MUTATIONS = [
    ("failure-to-the-last", "a failed record is reported to the last connection in the batch, not to its own", [
        (S + "recorder.c", "slot_complete(a->slot, &r->context->loop, some, error);",
         "slot_complete((error < 0 ? &r->awaiting[(r->end - 1) % SINK_RECORDS] : a)->slot,\n"
         "                          &r->context->loop, some, error);")]),
    ("file-unbound", "the file for a large entry stays although its record was sent another way", [
        (R + "sink-journal.c", "if (s->file >= 0 && s->file_of == s->batch.first)", "if (s->file >= 0 && s->file_sent)"),
        (R + "sink-journal.c", "uint64_t file_of; /*", "bool file_sent;\n    uint64_t file_of; /*"),
        (R + "sink-journal.c", "return sendmsg(s->sink.fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;",
         "s->file_sent = sendmsg(s->sink.fd, &message, MSG_NOSIGNAL) >= 0;\n    return s->file_sent ? 0 : -errno;")]),
    ("worker-freed-early", "a worker is freed while others look at it", [
        (S + "crew.c", "(void)pthread_join(c->threads[i], NULL);",
         "{\n        (void)pthread_join(c->threads[i], NULL);\n        worker_free(c->workers[i]);\n    }"),
        (S + "crew.c", "shared->n_contexts = 0;\n    for (unsigned i = 0; i < c->n; i++)",
         "shared->n_contexts = 0;\n    for (unsigned i = c->n_started; i < c->n; i++)")]),
    ("places-kept", "departed peers keep their places while the journal is blocked", [
        (S + "turn.c", "conversation_collect(x, c);", "(void)0;")]),
    ("idle-before-reply", "idle time starts before the last reply", [
        (S + "conversation.c", "        connection_was_active(x, c);\n}\n\n/* Whether input is wanted",
         "        (void)0;\n}\n\n/* Whether input is wanted")]),
    ("all-waiters-woken", "all waiters are woken for a few free places", [
        (S + "recorder.c", "if (!r->waiters.first || !recorder_has_room(r))", "if (!r->waiters.first)")]),
    ("newcomers-overtake", "newcomers take the room of the waiters", [
        (S + "recorder.c", "return !r->waiters.first && recorder_has_room(r);", "return recorder_has_room(r);")]),
    ("held-replies-free", "OutputLimit does not count held replies", [
        (S + "conversation.c", "return !connection_is_owed_enough(c) ||",
         "return (output_holds(&c->output) ? 0 : output_size(&c->output)) < c->settings->output_limit ||"),
        (S + "input.c", "s->output_limit - MIN(s->output_limit, output_size(e->output))",
         "s->output_limit - MIN(s->output_limit, output_holds(e->output) ? 0 : output_size(e->output))")]),
    ("paused-in-loop", "a paused acceptor stays in the loop", [
        (S + "acceptor.c", "    loop_remove(&x->loop, &a->source);\n    a->registered = false;", "    a->registered = false;")]),
    ("header-and-more", "a byte behind a PROXY header is taken with it", [
        (S + "proxy-stage.c", "(size_t)size - have : (size_t)n)", "(size_t)size - have + 1 : (size_t)n)")]),
    ("header-forgotten", "the parts of a PROXY header are not kept together", [
        (S + "proxy-stage.c", "return size == 0 && buffer_append(kept, x->scratch + have, (size_t)n) == 0;", "return size == 0;")]),
    ("pause-for-ever", "a paused acceptor sets no timer", [
        (S + "acceptor.c", "    a->source.ready = 0;\n    retry_later(x, a);", "    a->source.ready = 0;")]),
    ("accept-and-close", "if connections cannot be taken, each new one is accepted and closed", [
        (S + "acceptor.c", "        pause_accepting(x, a, false);\n        r = begin(x, arrival, false);\n", ""),
        (S + "acceptor.c", "    turn_away(x, arrival, r);\n    if (a->registered)\n        pause_accepting(x, a, false);\n",
         "    turn_away(x, arrival, r);\n")]),
    ("old-clock", "the time to sleep is computed from the start of the turn", [
        (S + "worker.c", "until(next, context_ms_now(&w->context))", "until(next, context_ms(&w->context))")]),
    ("memfd-blocks", "if files are forbidden, a large record blocks the journal forever", [
        (R + "sink-journal.c", "        return true;\n    default:\n        return false;", "        return false;\n    default:\n        return false;")]),
    ("input-lost-after-send", "input is discarded after a send error", [
        (N + "transport.c", "    t->flags |= TRANSPORT_OUT_ENDED;\n    if (error == EPIPE)",
         "    t->flags |= TRANSPORT_OUT_ENDED | TRANSPORT_IN_ENDED | TRANSPORT_IN_CUT;\n    if (error == EPIPE)")]),
    ("input-discarded-lingering", "input that arrives while lingering is discarded", [
        (S + "turn.c", "if (connection_state(c) == CONNECTION_LINGERING &&\n"
         "            c->transport.owner_flags & CONNECTION_DISCARDS)",
         "if (connection_state(c) == CONNECTION_LINGERING)")]),
    ("readiness-cleared", "a short read ends readiness on any socket", [
        (N + "transport.c", "if ((size_t)r < n && source_short_read_drains(&t->source, is_unix(t)))", "if ((size_t)r < n)")]),
    ("no-requeue", "a connection that used up its share of a dispatch is not queued again", [
        (S + "conversation.c", "            loop_queue(&x->loop, &c->transport.source);\n            return;\n        }\n        admitted = false;",
         "            return;\n        }\n        admitted = false;")]),
    ("reply-before-record", "a reply is sent before its record", [
        (S + "input.c", "r = output_hold(e->output, x, e->transport, bytes, buffer_size(x->reply), n, &slot);",
         "slot = NULL;\n    r = output_send(e->output, x, e->transport, bytes, buffer_size(x->reply));")]),
    ("released-too-early", "a reply is sent although its slot is not whole", [
        (S + "output.c", "return slot_whole(s) && s->error == 0;", "return s->error == 0;")]),
    ("out-of-order", "an error overtakes held replies", [
        (S + "output.c", "    if (output_is_empty(o))\n        sent = send_now(x, t, bytes, n);",
         "    if (output_is_empty(o) || output_holds(o))\n        sent = send_now(x, t, bytes, n);")]),
    ("lost-wake-up", "commands are read before the wake-up is cleared", [
        (S + "context.c", "    wake_clear(x->command.fd);\n",
         "    unsigned commands = atomic_exchange(&x->commands, 0);\n\n    wake_clear(x->command.fd);\n"),
        (S + "context.c", "return atomic_exchange(&x->commands, 0);", "return commands;")]),
    ("timer-not-rearmed", "a timer that expires early is not armed again", [
        (S + "turn.c", "connection_deadline(x, c) > context_ms(x))\n        connection_arm(x, c);",
         "connection_deadline(x, c) > context_ms(x))\n        return;")]),
    ("away-for-ever", "the recorder never looks again for a journal that is away", [
        (S + "recorder.c", "    r->state = RECORDER_AWAY;\n    r->deadline_us = now_us() + r->backoff_us;",
         "    r->state = RECORDER_AWAY;")]),
    ("short-count-ignored", "the short count of sendmmsg() is ignored", [
        (R + "sink-journal.c", "return sent < 0 ? -errno : sent;", "return sent < 0 ? -errno : (int)n;")]),
    ("partial-line-kept", "a partly written line is written again", [
        (R + "sink-stderr.c", "            batch_leave_bytes(b, written);\n", "")]),
    ("rate-for-ever", "a connection that used up its rate never continues", [
        (S + "turn.c", "    } else if (connection_is_limited(c)) {\n        loop_queue(&x->loop, &c->transport.source);",
         "    } else if (connection_is_limited(c)) {")]),
    ("rate-free", "the rate is not charged", [
        ("src/protocol/session.c", "        rate_charge(s, feed);\n", "")]),
    ("unix-room-unasked", "a UNIX stream without room does not register for room", [
        (N + "transport.c", "    t->flags |= TRANSPORT_OUT_WAITS;\n    if (loop_modify(l, &t->source, events(t)) < 0)",
         "    t->flags |= TRANSPORT_OUT_WAITS;\n    if (l->epoll_fd < 0)")]),
    ("handover-unbound", "a connection stays bound to its handover", [
        (N + "transport.c", "return registered ? loop_modify(l, &t->source, events(t)) : loop_add(l, &t->source, events(t));",
         "return registered ? 0 : loop_add(l, &t->source, events(t));")]),
    ("slot-leaked", "the last user of a slot does not free it", [
        (S + "slot.c", "    else\n        free(s);\n}", "}")]),
    ("slot-freed-twice", "the owner frees a slot before its record is completed", [
        (S + "slot.c", "    if (slot_whole(s))\n        free(s);\n    else\n        s->owner = NULL;", "    free(s);")]),
    ("discards-uncounted", "input discarded at the end of a connection is not counted", [
        (S + "input.c", "    if (unread + kept > 0)\n        note_discarded(", "    if (kept > SIZE_MAX / 2)\n        note_discarded(")]),
    ("budget-kept", "a freed buffer is not given back to the budget", [
        (S + "budget.c", "    if (*buffer)\n        budget_give(b, (*buffer)->capacity);\n", "")]),
    ("cut-taken-for-end", "the rest of a cut stream is recorded as a message", [
        (N + "transport.c", "    t->flags |= TRANSPORT_OUT_FAILED;\n    if (!is_unix(t))", "    t->flags |= TRANSPORT_OUT_FAILED;\n    if (error == 0)"),
        (N + "transport.c", "if (r < 0 && !is_unix(t))", "if (r > 0)")]),
    ("sent-twice", "after a partial submit, the last taken record is sent again", [
        (R + "sink-journal.c", "batch_leave(&s->batch, n < 0 ? 1 : (size_t)n);", "batch_leave(&s->batch, n < 2 ? 1 : (size_t)n - 1);")]),
    ("drain-hurries", "a draining connection ends although input has arrived", [
        (S + "turn.c", "c->transport.owner_flags & CONNECTION_DRAINING && is_quiet(c) &&", "c->transport.owner_flags & CONNECTION_DRAINING &&")]),
    ("slow-takers-cut", "a peer that takes replies slowly is cut off like one that takes none", [
        (S + "output.c", "if (took || output_holds(o))", "if (output_holds(o))")]),
    ("message-clock-kept", "a message's time starts with the previous message", [
        (S + "input.c", "    if (used > 0)\n        in->bytes->stamp = context_ms(e->context);\n", "")]),
    ("address-kept", "an ended connection still counts for its address", [
        (S + "connection.c", "    if (counted)\n        address_limit_release(&x->shared->addresses, peer);\n", "    (void)peer, (void)counted;\n")]),
    ("recorder-unopened", "a connection of another worker's listener finds the journal closed", [
        (S + "connection.c", "        recorder_need(context_recorder(x, c->settings));\n", "        (void)0;\n")]),
    ("shed-uncounted", "input received when memory ran out is not counted as discarded", [
        (S + "input.c", "    note_discarded(in, e, n - used, r > 0 ? broken : no_memory);",
         "    if (r > 0)\n        note_discarded(in, e, n - used, broken);")]),
    ("stall-counted", "a stall of the process counts against peers", [
        (S + "context.c", "if (now_us > x->now.mono_us + STALL_US)", "if (now_us > UINT64_MAX - STALL_US)")]),
    ("not-folded", "replies that the peer does not take have a slot each", [
        (S + "output.c", "    fold(o, x);\n", "    (void)fold;\n")]),
    ("fold-overtakes", "a reply that waits for its record is folded into the one before it", [
        (S + "output.c", "while ((s = first->next) != first && may_go(s)) {", "while ((s = first->next) != first) {")]),
    ("gather-held", "a reply that waits for its record is gathered with those before it", [
        (S + "output.c", "while (s != oldest(o) && may_go(s) && n < sizeof x->scratch);",
         "while (s != oldest(o) && n < sizeof x->scratch);")]),
    ("log-reply-before-sync", "the log gives records back before they are synced", [
        (R + "committer.c", "    error = sync_written(c);\n    if (error < 0)\n        return fail(c, error);\n    give_all_back(c);",
         "    give_all_back(c);\n    error = sync_written(c);\n    if (error < 0)\n        return fail(c, error);")]),
    ("log-second-batch-unsynced", "a batch that was written right after another one is not synced", [
        (L + "writer.c", "    if (fdatasync(w->fd) < 0)\n        return fail(w, -errno);\n    w->synced = w->number - 1;",
         "    if (w->synced + 2 != w->number && fdatasync(w->fd) < 0)\n        return fail(w, -errno);\n"
         "    w->synced = w->number - 1;")]),
    ("log-cut-too-much", "recovery cuts off the last record too", [
        (L + "recovery.c", "    x.unsynced = MIN(x.unsynced, x.end);",
         "    x.end -= x.n > 0 && item.size < x.end ? item.size : 0;\n    x.unsynced = MIN(x.unsynced, x.end);")]),
    ("log-no-salt", "the checksum of a record's head does not cover the segment's salt", [
        (L + "format.c", "return crc32c(crc32c(0, bytes, sizeof bytes), p + AT_SIZE", "return crc32c(0, p + AT_SIZE")]),
    ("log-torn-accepted", "a record counts as sound although only its head is", [
        (L + "format.c", "return get_le32(p + size - 4) == size && get_le32(p + AT_REST_CRC) == rest_checksum(p, size);",
         "return size > 0;")]),
    ("log-name-unsynced", "the folder is not synced after a segment has got its name", [
        (L + "store.c", "    if (r < 0 || fsync(s->dir_fd) == 0)\n        return r;\n    r = -errno;",
         "    if (r <= 0)\n        return r;\n    r = -errno;")]),
    ("log-folder-unsynced", "the folder above is not synced", [
        (L + "store.c", "return fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : -errno;", "return 0;")]),
    ("log-sync-retried", "a failed sync is tried again", [
        (L + "writer.c", "    if (fdatasync(w->fd) < 0)\n        return fail(w, -errno);\n    w->synced",
         "    while (fdatasync(w->fd) < 0)\n        (void)0;\n    w->synced")]),
    ("log-parcel-kept", "a parcel that comes back wakes nobody", [
        (R + "committer.c", "    wake(p->fd);\n    parcel_free(p);", "    parcel_free(p);")]),
    ("log-keeper-asleep", "the keeper is not woken when the spare is used up", [
        (R + "committer.c", "        if (r < 0 || c->writer.serial != serial)\n            wake(c->keep_fd);\n", "        (void)serial;\n")]),
    ("log-failure-untold", "the main thread does not hear that the log has failed", [
        (R + "log-service.c", "        tell_failure(s);\n        wake(s->notify_fd);", "        tell_failure(s);")]),
    ("log-no-room-final", "a sync that fails for want of room counts as backpressure", [
        (R + "committer.c", "c->writer.error == 0 && store_error_passes", "c && store_error_passes")]),
    ("log-guess-kept", "numbers go on behind a guess although a later segment tells the exact one", [
        (L + "recovery.c", "    t->guessed = 0;\n", "")]),
    ("tls-bytes-inside-forgotten", "bytes that wait inside TLS do not count as the socket's", [
        (N + "transport.c", "    if (r > 0 && tls_has_bytes(tls_of(t)))\n        t->source.ready |= READY_IN;\n", "")]),
    ("tls-first-bytes-forgotten", "what came with the end of the handshake waits for an edge", [
        (S + "connection.c", "    if (arrival->tls && tls_has_bytes(arrival->tls)) {\n        transport_recheck(t);\n"
         "        loop_queue(&x->loop, &t->source);\n    }\n", "")]),
    ("tls-next-asleep", "the end of a handshake does not wake the next one that waits for a place", [
        (S + "handshake.c", "            break;\n        loop_queue(&x->loop, h->source);\n", "            break;\n")]),
    ("tls-place-never-given", "a handshake that is done keeps its place", [
        (S + "handshake.c", "        x->handshakes.n--;\n", "")]),
    ("tls-newcomer-never-gives-way", "no timer makes a handshake give way if it began while others waited", [
        (S + "handshake.c", "HANDSHAKE_MEMORY);\n    arm_give_way(x);\n", "HANDSHAKE_MEMORY);\n")]),
    ("tls-never-gives-way", "a handshake that waits does not make another one give way", [
        (S + "handshake.c", "        arm_give_way(x);\n        return STAGE_WAITS;", "        return STAGE_WAITS;")]),
    ("tls-silence-takes-a-place", "a client that has sent only its PROXY header takes a place among the handshakes", [
        (S + "handshake.c", "if (n < 0 && errno == EAGAIN) {", "if (n < 0 && errno == ENOTSOCK) {")]),
    ("tls-budget-no-requeue", "a handshake beyond the budget of a turn is not queued again", [
        (S + "handshake.c", "        loop_queue(&x->loop, h->source);\n        return STAGE_WAITS;", "        return STAGE_WAITS;")]),
    ("tls-no-budget", "handshakes have no budget", [
        (S + "handshake.c", "x->handshakes.steps == STEPS_PER_TURN &&", "x->handshakes.steps == UINT_MAX &&"),
        (S + "handshake.c", "#include <errno.h>", "#include <errno.h>\n#include <limits.h>")]),
    ("tls-no-limit", "MaxHandshakes= is not kept", [
        (S + "handshake.c", "n * x->shared->n_contexts < s->max_handshakes", "n * x->shared->n_contexts <= s->max_handshakes")]),
    ("tls-leaked", "the stream of a handshake that fails is not freed", [
        (S + "handshake.c", "        if (!keep)\n            tls_free(h->tls);\n", "        (void)keep;\n")]),
    ("tls-server-kept", "settings that are gone keep the certificates", [
        (S + "settings.c", "    tls_server_unref(s->tls);\n", "")]),
    ("tls-not-moved", "a stream stays bound to the source of its handshake", [
        (N + "transport.c", "    tls_move(tls, &t->source);\n", "")]),
    ("tls-end-untold", "a close_notify without room is not sent later", [
        (N + "transport.c", "tls_end(tls_of(t)) == -EAGAIN)\n        return false;", "tls_end(tls_of(t)) > 0)\n        return false;")]),
    ("tls-end-once", "a close_notify without room is not tried again", [
        (S + "turn.c", "if (connection_state(c) == CONNECTION_FINISHING && output_is_empty(&c->output))",
         "if (connection_state(c) == CONNECTION_FINISHING && output_is_empty(&c->output) &&\n"
         "        !(c->transport.owner_flags & CONNECTION_ENDING))")]),
    ("tls-cut-taken-for-end", "a stream that ends without close_notify is taken for an orderly one", [
        (N + "tls.c", "? -ENODATA : 0;", "? 0 : 0;")]),
    ("tls-damage-taken-for-end", "a damaged stream is taken for an orderly one", [
        (N + "transport.c", "    if (r < 0)\n        t->flags |= TRANSPORT_IN_CUT;\n    if (r < 0 && r != -ENODATA)\n        note_error(t, (int)-r);\n",
         "    if (r == -ENODATA)\n        t->flags |= TRANSPORT_IN_CUT;\n    if (r < 0 && r != -ENODATA)\n        t->flags |= TRANSPORT_OUT_ENDED;\n")]),
    ("tls-in-cleared-without-room", "want of room for sending ends readiness for receiving", [
        (N + "openssl.c", "s->ready &= (uint8_t)~READY_OUT;", "s->ready = 0;")]),
    ("tls-readiness-cleared", "a short read ends readiness on a UNIX socket, too", [
        (N + "openssl.c", "source_short_read_drains(s, BIO_test_flags(bio, IS_UNIX))", "source_short_read_drains(s, false)")]),
    ("tls-record-without-time", "nobody notes when an unfinished TLS record began", [
        (S + "turn.c", "    if (c->transport.flags & TRANSPORT_TLS)\n        connection_note_record(x, c);\n", "")]),
    ("tls-stops-at-new-keys", "a read that found only new keys waits for an edge", [
        (N + "tls.c", "while (r != 1 && stopped_early(ssl, r));", "while (r > 1 && stopped_early(ssl, r));")]),
    ("log-numbers-again", "retention removes the newest segment before the next one has begun", [
        (L + "store.c", "return s->n > (s->writing ? 0 : 1);", "return s->n > 0;")]),
]
