// SPDX-License-Identifier: LGPL-2.1-or-later
// node's net module, sending back what it reads.

const server = require("net").createServer({ noDelay: true }, (socket) => {
  socket.on("data", (bytes) => socket.write(bytes));
  socket.on("error", () => socket.destroy());
});

server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  console.error(`listening on 127.0.0.1:${server.address().port}`);
});
