// The flow of bulk.py's case (a) in ns-3: sender - router - receiver, 10 Gb/s links of 20 us, one TCP bulk transfer.
// Prints: segments received, wall seconds of the event loop. Built and run by peers.py.
#include <chrono>
#include <cstdlib>
#include <iostream>

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"

using namespace ns3;

int main(int argc, char** argv)
{
    const double milliseconds = argc > 1 ? std::atof(argv[1]) : 200;
    const uint32_t segmentBytes = 1448;
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(segmentBytes));
    Config::SetDefault("ns3::TcpSocket::InitialCwnd", UintegerValue(10));
    Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(1 << 20));
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(1 << 20));

    NodeContainer nodes;
    nodes.Create(3);
    InternetStackHelper().Install(nodes);
    PointToPointHelper link;
    link.SetDeviceAttribute("DataRate", StringValue("10Gbps"));
    link.SetChannelAttribute("Delay", StringValue("20us"));
    Ipv4AddressHelper addresses("10.1.0.0", "255.255.255.0");
    addresses.Assign(link.Install(nodes.Get(0), nodes.Get(1)));
    addresses.NewNetwork();
    const auto receiving = addresses.Assign(link.Install(nodes.Get(1), nodes.Get(2)));
    Ipv4GlobalRoutingHelper::PopulateRoutingTables();

    const InetSocketAddress there(receiving.GetAddress(1), 5201);
    BulkSendHelper source("ns3::TcpSocketFactory", there);
    source.SetAttribute("SendSize", UintegerValue(segmentBytes * 45));
    source.Install(nodes.Get(0)).Start(Seconds(0));
    PacketSinkHelper sinkHelper("ns3::TcpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), 5201));
    const auto sinks = sinkHelper.Install(nodes.Get(2));

    Simulator::Stop(MilliSeconds(milliseconds));
    const auto begin = std::chrono::steady_clock::now();
    Simulator::Run();
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    std::cout << DynamicCast<PacketSink>(sinks.Get(0))->GetTotalRx() / segmentBytes << " " << wall.count() << std::endl;
    Simulator::Destroy();
}
