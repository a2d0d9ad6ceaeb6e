# A client on one of Perl's libraries; see README.md for its arguments.
use strict;
use warnings;
use Time::HiRes 'sleep';
my ($lib, $url, $method, $timeout, $repeat, $interval, $size, $ca) = @ARGV;
$timeout /= 1000;
my $body = $method eq 'POST' ? 'x' x $size : undef;
$| = 1;
sub told { my $text = shift; $text =~ s/\s+\z//; $text =~ s/\n/\\n/g; print "ERR $text\n" }
$SIG{__WARN__} = sub { told("warning: @_") };
my $once;
if ($lib eq 'lwp') {
    require LWP::UserAgent;
    my $client = LWP::UserAgent->new(timeout => $timeout, keep_alive => 1, $ca eq '-' ? () : (ssl_opts => { SSL_ca_file => $ca }));
    $once = sub {
        my $it = $client->request(HTTP::Request->new($method, $url, undef, $body));
        for my $name ('X-Died', 'Client-Aborted') { told("$name: " . $it->header($name)) if $it->header($name) }
        return (0, $it->status_line) if !$it->is_success;
        return (1, $it->code, length $it->content);
    };
} elsif ($lib eq 'http-tiny') {
    require HTTP::Tiny;
    my $client = HTTP::Tiny->new(timeout => $timeout, verify_SSL => 1, $ca eq '-' ? () : (SSL_options => { SSL_ca_file => $ca }));
    $once = sub {
        my $it = $client->request($method, $url, { defined $body ? (content => $body) : () });
        return (0, $it->{status} == 599 ? $it->{content} : "$it->{status} $it->{reason}") if !$it->{success};
        return (1, $it->{status}, length $it->{content});
    };
} elsif ($lib eq 'mojo') {
    require Mojo::UserAgent;
    my $client = Mojo::UserAgent->new(request_timeout => $timeout, connect_timeout => $timeout, inactivity_timeout => $timeout, $ca eq '-' ? () : (ca => $ca));
    $once = sub {
        my $it = $client->start($client->build_tx($method, $url, defined $body ? $body : ()));
        if (my $error = $it->error) { return (0, $error->{code} ? "$error->{code} response: $error->{message}" : "Connection error: $error->{message}") }
        return (1, $it->res->code, length $it->res->body);
    };
}
for my $n (1 .. $repeat) {
    sleep $interval / 1000 if $n > 1;
    my ($fine, @what) = eval { $once->() };
    if ($@) { told($@); print "REQ $n FAILED\n"; next }
    if (!$fine) { told($what[0]); print "REQ $n FAILED\n" } else { print "REQ $n OK @what\n" }
}
