#!/usr/bin/perl
# cfn-signal: tells the stack of this instance whether it works. The instance proves who it is by what its metadata
# service alone tells it, so no credentials are needed; it can signal resources of its own stack only.
use strict;
use warnings;
use IO::Socket::INET;

my %long = (stack => 'stack', resource => 'resource', 'exit-code' => 'exit', success => 'success', region => '', id => '',
    url => 'url', reason => '', data => '', role => '', 'access-key' => '', 'secret-key' => '', 'credential-file' => '');
my %short = (e => 'exit-code', s => 'success', i => 'id', r => 'reason', d => 'data', f => 'credential-file', u => 'url');

sub fail { print STDERR "cfn-signal: $_[0]\n"; exit 1 }

my (%given, @rest);
while (@ARGV) {
    my $argument = shift @ARGV;
    my ($name, $value);
    if ($argument =~ /^--([a-z-]+)(?:=(.*))?$/s) { ($name, $value) = ($1, $2) }
    elsif ($argument =~ /^-([a-z])(.*)$/s) { ($name, $value) = ($short{$1} // $1, length $2 ? $2 : undef) }
    else { push @rest, $argument; next }
    fail("unknown option $argument") unless exists $long{$name};
    $value = shift @ARGV unless defined $value;
    fail("option $argument needs a value") unless defined $value;
    $given{$name} = $value;
}
fail('a wait condition handle is signalled by a PUT to its address: curl -X PUT') if @rest;
fail('--stack and --resource are needed') unless length($given{stack} // '') && length($given{resource} // '');
my $success = defined $given{success} ? $given{success} =~ /^(true|1|yes)$/i : ($given{'exit-code'} // 0) eq '0';

# One request; gives the status and the body.
sub ask {
    my ($host, $port, $method, $path, $headers, $body) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 10) or return (0, "no answer from $host:$port");
    $body //= '';
    my $length = length $body ? 'Content-Length: ' . length($body) . "\r\n" : '';
    print $socket "$method $path HTTP/1.1\r\nHost: $host:$port\r\nConnection: close\r\n$headers$length\r\n$body";
    my $answer = do { local $/; <$socket> } // '';
    my ($head, $text) = split /\r\n\r\n/, $answer, 2;
    return (($head // '') =~ m{^HTTP/1\.[01] (\d+)} ? $1 : 0, $text // '');
}

my ($service, $latest) = ('169.254.169.254', '/latest');
my ($status, $token) = ask($service, 80, 'PUT', "$latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n");
fail('the metadata service gives no token') unless $status == 200;

sub metadata {
    my ($status, $text) = ask($service, 80, 'GET', "$latest/$_[0]", "X-aws-ec2-metadata-token: $token\r\n");
    fail("the metadata service does not tell $_[0]") unless $status == 200;
    return $text;
}

sub quoted { my $text = shift; $text =~ s/(["\\])/\\$1/g; $text =~ s/[\x00-\x1f]//g; return "\"$text\"" }

my $instance = metadata('meta-data/instance-id');
my $secret = metadata('dynamic/instance-identity/allod-secret');
my $url = $given{url} // $ENV{AWS_ENDPOINT_URL} // metadata('dynamic/instance-identity/allod-endpoint');
my ($host, $port) = $url =~ m{^http://([^:/]+)(?::(\d+))?/?$} or fail("the address $url is not understood");
my $word = $success ? 'SUCCESS' : 'FAILURE';
my $body = '{"StackName":' . quoted($given{stack}) . ',"LogicalResourceId":' . quoted($given{resource}) . ",\"Status\":\"$word\"}";
my $text;
# A region that starts anew answers soon.
for my $try (1 .. 10) {
    ($status, $text) = ask($host, $port // 80, 'PUT', '/_allod/signal', "Authorization: CFN_V1 $instance:$secret\r\n", $body);
    exit 0 if $status == 200;
    last if $status >= 400 && $status < 500;
    sleep 2;
}
chomp $text;
fail($text);
