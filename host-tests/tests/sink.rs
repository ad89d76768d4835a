//! Rows sent over mocked buses.

use embedded_hal_mock::eh1::{i2c, spi};
use upconv::sink::{Bus, Spi, Writer};
use upconv::{Decoder, Input, Nearest, Node, RowSink, SendError, Shape, Upsample, must};

static UP: Nearest = must!(Upsample::nearest(Shape::new(2, 1, 1), 1, 3));
static DECODER: Decoder<i8, 2> = must!(Decoder::plan([Node::whole(Shape::new(2, 1, 1)), UP.node(0)]));

fn send<S: RowSink<i8>>(sink: &mut S) -> Result<(), SendError<S::Error>> {
    DECODER.bind(&mut [Input::Whole(&[5, -1])], &mut [], &mut [0; 3]).unwrap().send(sink)
}

#[test]
fn spi_gets_a_transaction_for_each_row() {
    let row = |v| [spi::Transaction::transaction_start(), spi::Transaction::write_vec(vec![v; 3])];
    let end = spi::Transaction::transaction_end();
    let expected: Vec<_> = [5, 255].into_iter().flat_map(|v| row(v).into_iter().chain([end.clone()])).collect();
    let mut device = spi::Mock::new(&expected);
    send(&mut Spi(&mut device)).unwrap();
    device.done();
}

#[test]
fn i2c_gets_the_control_byte_before_each_row() {
    let row = |v| {
        [
            i2c::Transaction::transaction_start(0x3C),
            i2c::Transaction::write(0x3C, vec![0x40]),
            i2c::Transaction::write(0x3C, vec![v; 3]),
            i2c::Transaction::transaction_end(0x3C),
        ]
    };
    let expected: Vec<_> = [5, 255].into_iter().flat_map(row).collect();
    let mut bus = i2c::Mock::new(&expected);
    send(&mut Bus { bus: &mut bus, address: 0x3C, control: 0x40 }).unwrap();
    bus.done();
}

#[test]
fn a_writer_gets_all_rows_until_it_is_full() {
    let mut room = [0; 6];
    send(&mut Writer(&mut room[..])).unwrap();
    assert_eq!(room, [5, 5, 5, 255, 255, 255]);
    assert!(send(&mut Writer(&mut room[..5])).is_err());
}
