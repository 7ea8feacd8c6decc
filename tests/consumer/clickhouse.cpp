// clickhouse PORT: makes draws, sends them to the server there, and checks what it gives back. The
// library makes the bytes, and a plain HTTP client, of a few lines, carries them.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <drawstore/clickhouse.hpp>
#include <drawstore/memory_backend.hpp>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using drawstore::ClickHouseTable;

class Server {
  public:
    explicit Server(int port) : port_(port) {}

    // Sends a query, and data behind it; gives the answer. Throws where the server refuses it.
    std::string query(const std::string& sql, std::span<const std::byte> data = {}) const {
        const std::string text = sql + "\n";
        std::string head = "POST / HTTP/1.0\r\nContent-Length: ";
        head += std::to_string(text.size() + data.size()) + "\r\n\r\n" + text;
        const int connection = connected();
        send_all(connection, std::as_bytes(std::span(head)));
        send_all(connection, data);
        std::string answer;
        char piece[1 << 16];
        for (ssize_t n; (n = recv(connection, piece, sizeof piece, 0)) > 0;) {
            answer.append(piece, static_cast<std::size_t>(n));
        }
        close(connection);
        const std::size_t body = answer.find("\r\n\r\n");
        if (body == std::string::npos || answer.find(" 200 ") > body) {
            throw std::runtime_error(answer);
        }
        return answer.substr(body + 4);
    }

  private:
    int connected() const {
        const int connection = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port_));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("no server listens there");
        }
        return connection;
    }

    static void send_all(int connection, std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t n = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) throw std::runtime_error("the connection broke");
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
    }

    int port_;
};

// Good for the names of this run: they have no backticks.
std::string list_of(const std::vector<ClickHouseTable::Column>& columns, bool with_types) {
    std::string list;
    for (const auto& [name, type] : columns) {
        list += (list.empty() ? "`" : ", `") + name + "`";
        if (with_types) list += " " + type;
    }
    return list;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return EXIT_FAILURE;
    const Server server(std::stoi(argv[1]));

    drawstore::RunMeta meta;
    meta.variables = {{"position", drawstore::dtype_of<double>(), {2}},
                      {"name", drawstore::text_dtype()}};
    meta.sample_stats = {{"tune", drawstore::dtype_of<bool>()}};
    drawstore::MemoryBackend backend;
    const auto chain = backend.init_run(meta)->init_chain(0);
    for (int i = 0; i < 1000; ++i) {
        const std::vector<double> position{0.5 * i, -0.5 * i};
        const std::string name = "draw " + std::to_string(i);
        chain->append({{"position", position}, {"name", name}}, {{"tune", i < 100}});
    }

    const ClickHouseTable table(meta);
    server.query("CREATE TABLE run (" + list_of(table.columns(), true) +
                 ") ENGINE = ReplacingMergeTree ORDER BY (chain, draw)");
    for (std::uint64_t row = 0; row < chain->size();) {
        const std::uint64_t stop = row + table.rows_fitting(*chain, row, chain->size());
        server.query("INSERT INTO run FORMAT Native", table.encode(*chain, row, stop).bytes());
        row = stop;
    }

    const std::vector<std::size_t> fields{0, 1, 2};
    const std::string answer =
        server.query("SELECT " + list_of(table.columns_of(fields), false) +
                     " FROM run FINAL WHERE chain = 0 ORDER BY draw FORMAT Native");
    const auto draws = table.decode(std::as_bytes(std::span(answer)), fields);
    bool right = draws[0].size() == 1000;
    for (std::uint64_t i = 0; right && i < 1000; ++i) {
        right = draws[0].at<std::uint64_t>(i)[0] == i &&
                draws[1].at<double>(i)[1] == -0.5 * static_cast<double>(i) &&
                draws[2].texts_at(i)[0] == "draw " + std::to_string(i) &&
                draws[3].at<bool>(i)[0] == (i < 100) && !draws[3].is_missing(i);
    }
    std::cout << (right ? "1000 draws came back\n" : "not what was sent\n");
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
